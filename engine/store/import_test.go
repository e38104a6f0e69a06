package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
)

// lines hands out profiles, and what else a file may have, one a line.
type lines struct {
	all  []any // a matching.Profile or an error
	read int
	// before is called before each line.
	before func(line int)
}

func (l *lines) Next() (p matching.Profile, line int, err error) {
	if l.read++; l.before != nil {
		l.before(l.read)
	}
	if l.read > len(l.all) {
		return p, 0, io.EOF
	}
	switch this := l.all[l.read-1].(type) {
	case matching.Profile:
		return this, l.read, nil
	case string:
		return p, l.read, matching.LineError{Line: l.read, Problem: this}
	case error:
		return p, l.read, this
	}
	panic("no line")
}

func file(profiles ...matching.Profile) *lines {
	l := &lines{}
	for _, p := range profiles {
		l.all = append(l.all, p)
	}
	return l
}

// ImportProfiles stages profiles and applies them.
func (f *fixture) ImportProfiles(ctx context.Context, workspace string, profiles []matching.Profile) (n store.ImportCounts, err error) {
	staged, err := f.StageProfiles(ctx, workspace, file(profiles...))
	if err != nil {
		return n, err
	}
	if err := f.apply(ctx); err != nil {
		return n, err
	}
	if staged, err = f.ProfileImport(ctx, workspace, staged.ID); err != nil {
		return n, err
	}
	page, err := f.Profiles(ctx, workspace, "", 1)
	return store.ImportCounts{Added: int(staged.Added), Updated: int(staged.Updated), Profiles: page.Total}, err
}

func (f *fixture) apply(ctx context.Context) error {
	for {
		if more, err := f.ApplyImports(ctx); err != nil || !more {
			return err
		}
	}
}

func (f *fixture) rows(t testing.TB, table string) (n int) {
	t.Helper()
	NewWithT(t).Expect(f.raw(t).QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&n)).To(Succeed())
	return n
}

func many(n int) (all []matching.Profile) {
	for i := range n {
		all = append(all, matching.Profile{ID: fmt.Sprintf("p%05d", i), Email: fmt.Sprintf("%d@gmail.com", i)})
	}
	return all
}

// testImport follows an import of several pages, interrupted in the middle, and the next one over it.
func testImport(t *testing.T, f *fixture) {
	g := NewWithT(t)
	staged, err := f.StageProfiles(f.ctx, "acme/prod", file(many(10_001)...))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(staged).To(And(HaveField("Phase", store.ImportApplying), HaveField("Staged", int64(10_001)), HaveField("Added", int64(0))))
	g.Expect(f.Profiles(f.ctx, "acme/prod", "", 0)).To(HaveField("Total", int64(0)))

	g.Expect(f.ApplyImports(f.ctx)).To(BeTrue())
	f.Store = f.open(t) // another process goes on with it
	imports, _, _, err := f.Rematches(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(imports).To(BeEmpty(), "nothing is matched by half a file")
	g.Expect(f.ProfileImport(f.ctx, "acme/prod", staged.ID)).To(HaveField("Added", int64(10_000)))
	g.Expect(f.apply(f.ctx)).To(Succeed())
	done, err := f.ProfileImport(f.ctx, "acme/prod", staged.ID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(done).To(And(HaveField("Phase", store.ImportDone), HaveField("Added", int64(10_001)), HaveField("Updated", int64(0))))
	g.Expect(f.rows(t, "staged_profiles")).To(BeZero())

	g.Expect(f.ImportProfiles(f.ctx, "acme/prod", append(many(2)[1:], matching.Profile{ID: "new", Domain: "new.example"}))).
		To(Equal(store.ImportCounts{Added: 1, Updated: 1, Profiles: 10_002}))
	imports, _, _, err = f.Rematches(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(imports).To(Equal(map[string]int64{"acme/prod": 2}))

	all, after := 0, ""
	for {
		page, err := f.Profiles(f.ctx, "acme/prod", after, 500)
		g.Expect(err).NotTo(HaveOccurred())
		if after == "" {
			g.Expect(page.Profiles[0]).To(Equal(matching.Profile{ID: "new", Domain: "new.example"}))
			g.Expect(page.Profiles[1]).To(Equal(matching.Profile{ID: "p00000", Email: "0@gmail.com"}))
		}
		all += len(page.Profiles)
		if after = page.Next; after == "" {
			break
		}
	}
	g.Expect(all).To(Equal(10_002))
	_, err = f.Profiles(f.ctx, "acme/prod", "bad", 0)
	g.Expect(err).To(MatchError(store.ErrCursor))

	f.clock.SetTime(start.Add(31 * 24 * time.Hour))
	g.Expect(f.ProfileImports(f.ctx, "acme/prod")).To(HaveLen(2))
	g.Expect(f.apply(f.ctx)).To(Succeed())
	g.Expect(f.ProfileImports(f.ctx, "acme/prod")).To(BeEmpty(), "they are forgotten after 30 days")
}

// testBadImports holds that a file at fault, or one that breaks off, changes nothing and leaves nothing.
func testBadImports(t *testing.T, f *fixture) {
	g := NewWithT(t)
	g.Expect(f.ImportProfiles(f.ctx, "acme/prod", many(3))).To(HaveField("Profiles", int64(3)))
	for name, c := range map[string]struct {
		lines []any
		want  string
	}{
		"a bad line":        {[]any{matching.Profile{ID: "x"}, "email is no e-mail address"}, "line 2: email is no e-mail address"},
		"an id twice":       {[]any{matching.Profile{ID: "x"}, "bad", matching.Profile{ID: "x"}}, "line 2: bad\nline 3: profile_id is that of line 1"},
		"no profiles":       {nil, "line 1: the file has no profiles"},
		"one that ends":     {[]any{matching.Profile{ID: "x"}, errors.New("broken off")}, "broken off"},
		"many bad lines":    {[]any{"1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}, "line 20: k"},
		"what no store has": {[]any{matching.Profile{}}, "profile"},
	} {
		_, err := f.StageProfiles(f.ctx, "acme/prod", &lines{all: c.lines})
		g.Expect(err).To(MatchError(ContainSubstring(c.want)), name)
		g.Expect(err.Error()).NotTo(ContainSubstring("line 21"), name)
		g.Expect(f.rows(t, "staged_profiles")).To(BeZero(), name)
	}
	// Twice in one file, far apart.
	far := file(append(many(2500), many(1)...)...)
	_, err := f.StageProfiles(f.ctx, "acme/prod", far)
	var faults *store.ImportError
	g.Expect(errors.As(err, &faults)).To(BeTrue())
	g.Expect(faults.Lines).To(Equal([]matching.LineError{{Line: 2501, Problem: "profile_id is that of line 1"}}))

	ctx, cancel := context.WithCancel(f.ctx)
	broken := file(many(5000)...)
	broken.before = func(line int) {
		if line == 4500 {
			cancel()
		}
	}
	_, err = f.StageProfiles(ctx, "acme/prod", broken)
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(f.rows(t, "staged_profiles")).To(BeZero())
	g.Expect(f.apply(f.ctx)).To(Succeed())
	g.Expect(f.Profiles(f.ctx, "acme/prod", "", 0)).To(HaveField("Total", int64(3)))
	g.Expect(f.rows(t, "profile_imports")).To(Equal(1))
}

// testDeadImport leaves staged lines as a process does that dies.
func testDeadImport(t *testing.T, f *fixture) {
	g := NewWithT(t)
	killed := file(many(2001)...)
	killed.before = func(line int) {
		if line == 2001 {
			panic("killed")
		}
	}
	func() {
		defer func() { g.Expect(recover()).To(Equal("killed")) }()
		_, _ = f.StageProfiles(f.ctx, "acme/prod", killed)
	}()
	g.Expect(f.rows(t, "staged_profiles")).To(Equal(2000))
	f.clock.SetTime(start.Add(time.Hour))
	g.Expect(f.apply(f.ctx)).To(Succeed())
	g.Expect(f.rows(t, "staged_profiles")).To(Equal(2000), "it may still be alive")
	f.clock.SetTime(start.Add(time.Hour + time.Millisecond))
	g.Expect(f.apply(f.ctx)).To(Succeed())
	g.Expect(f.rows(t, "staged_profiles")).To(BeZero())
	g.Expect(f.rows(t, "profile_imports")).To(BeZero())
}

// testErasedImport erases the workspace while lines are taken in, and once they are.
func testErasedImport(t *testing.T, f *fixture) {
	g := NewWithT(t)
	erased := file(many(2500)...)
	erased.before = func(line int) {
		if line == 2200 {
			_, err := f.Erase(f.ctx, "acme/prod")
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
	_, err := f.StageProfiles(f.ctx, "acme/prod", erased)
	g.Expect(err).To(MatchError(ContainSubstring("erased meanwhile")))
	_, err = f.StageProfiles(f.ctx, "acme/prod", file(many(2500)...))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.ApplyImports(f.ctx)).To(BeTrue())
	_, err = f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.apply(f.ctx)).To(Succeed())
	for _, table := range []string{"profiles", "staged_profiles", "profile_imports"} {
		g.Expect(f.rows(t, table)).To(BeZero(), table)
	}
}

func testDeleteProfiles(t *testing.T, f *fixture) {
	g := NewWithT(t)
	for _, workspace := range []string{"acme/prod", "rival/prod"} {
		g.Expect(f.ImportProfiles(f.ctx, workspace, many(2001))).To(HaveField("Added", 2001))
	}
	g.Expect(f.DeleteProfile(f.ctx, "acme/prod", "p00000")).To(Succeed())
	g.Expect(f.DeleteProfile(f.ctx, "acme/prod", "p00000")).To(MatchError(store.ErrNotFound))
	g.Expect(f.Profiles(f.ctx, "acme/prod", "", 0)).To(HaveField("Total", int64(2000)))
	imports, _, _, err := f.Rematches(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(imports).To(Equal(map[string]int64{"acme/prod": 2, "rival/prod": 1}), "customers are matched anew")
	g.Expect(f.DeleteProfiles(f.ctx, "acme/prod")).To(Equal(2000))
	g.Expect(f.DeleteProfiles(f.ctx, "acme/prod")).To(Equal(0))
	g.Expect(f.Profiles(f.ctx, "acme/prod", "", 0)).To(Equal(store.ProfilePage{Profiles: []matching.Profile{}}))
	g.Expect(f.Profiles(f.ctx, "rival/prod", "", 0)).To(HaveField("Total", int64(2001)))
}

// testLastProfileDeleted: with the last profile go the matches, at once for a reader and from the table by the rematch.
func testLastProfileDeleted(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.review(t)
	f.arrive(t, store.AccountRef{Scope: acme, Account: "acct_2"}, 1, map[string]string{"cus_other": "bob@gmail.com"})
	g.Expect(f.ImportProfiles(f.ctx, "rival/prod", []matching.Profile{{ID: "bob", Email: "bob@gmail.com"}})).To(HaveField("Added", 1))
	f.arrive(t, store.AccountRef{Scope: rival, Account: "acct_1"}, 1, map[string]string{"cus_bob": "bob@gmail.com"})
	f.decide(t, matching.Approve, "cus_team", "")
	g.Expect(f.DeleteProfiles(f.ctx, "acme/prod")).To(Equal(3))
	for _, id := range []string{"cus_bob", "cus_team"} {
		_, err := f.Match(f.ctx, customer(acme, id))
		g.Expect(err).To(MatchError(store.ErrNotFound), id)
	}
	g.Expect(f.rematch(t, acmeAccount, 90)).To(Equal(3), "four matches, two a page")
	g.Expect(f.rows(t, "matches")).To(Equal(2), "the other account's and the other workspace's are left")
	g.Expect(f.matched(t, rival, "cus_bob").ProfileID).To(Equal("bob"))
}

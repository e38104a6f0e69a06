package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/kustiq/kustiq/internal/report"
)

// redriveDone is what the address of the page says after a re-drive, with the numbers of a redriveSum.
const redriveDone = "redrive"

// redriveSum counts what came of a re-drive.
type redriveSum struct{ fetched, listed, unknown int }

func (s *redriveSum) add(done report.Redriven) {
	s.fetched, s.listed, s.unknown = s.fetched+len(done.Asked), s.listed+len(done.Listed), s.unknown+len(done.Unknown)
}

func (s *redriveSum) values() url.Values {
	return url.Values{"fetched": {strconv.Itoa(s.fetched)}, "listed": {strconv.Itoa(s.listed)}, "unknown": {strconv.Itoa(s.unknown)}}
}

// words tell it. The numbers come from an address, so that anything else than one counts as none.
func (s *redriveSum) words() string {
	var all []string
	for _, part := range []struct {
		n              int
		one, more, non string
	}{
		{s.fetched, "One event is being fetched from Stripe once more. It leaves the list when it becomes a score.",
			" events are being fetched from Stripe once more. Those that become a score leave the list.", "Nothing is being fetched."},
		{s.listed, "One was read from a list and is no event: a replay reads it again.", " were read from a list and are no events: a replay reads them again.", ""},
		{s.unknown, "One is not on the list any more.", " are not on the list any more.", ""},
	} {
		switch {
		case part.n == 1:
			all = append(all, part.one)
		case part.n > 1:
			all = append(all, report.Number(part.n)+part.more)
		case part.non != "":
			all = append(all, part.non)
		}
	}
	return strings.Join(all, " ")
}

// doneOf is what was just done, in words of ours: a link can have the page say nothing else.
func doneOf(query url.Values) string {
	if query.Get("done") != redriveDone {
		return doneWords[query.Get("done")]
	}
	number := func(name string) int {
		n, _ := strconv.Atoi(query.Get(name))
		return n
	}
	sum := redriveSum{number("fetched"), number("listed"), number("unknown")}
	return sum.words()
}

// redriveForm drives failed events again: those that are ticked, or all.
func (d *Dashboard) redriveForm(w http.ResponseWriter, r *http.Request) {
	workspace := r.PathValue("namespace") + "/" + r.PathValue("name")
	asked := report.Redrive{Events: r.PostForm["event"], All: r.PostForm.Has("all")}
	if asked.All {
		asked.Events = nil
	}
	if !asked.All && len(asked.Events) == 0 {
		d.problem(w, r, http.StatusBadRequest, "No event was chosen", "Nothing was done. Go back and tick the events to fetch once more.")
		return
	}
	asked.Events = asked.Events[:min(len(asked.Events), maxRedrive)]
	var sum redriveSum
	done, err := d.askRedrive(r, workspace, asked)
	for sum.add(done); err == nil && done.Next != ""; sum.add(done) {
		asked.After = done.Next
		done, err = d.askRedrive(r, workspace, asked)
	}
	if errors.Is(err, errBusAway) {
		d.problem(w, r, http.StatusServiceUnavailable, "The bus does not take it now", "Ask again in a moment. Events that were asked for already count once.")
		return
	}
	if err != nil {
		d.failure(w, r, "drive events again", err)
		return
	}
	http.Redirect(w, r, integrationsPath(workspace, redriveDone)+"&"+sum.values().Encode(), http.StatusSeeOther)
}

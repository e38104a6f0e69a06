package canary

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	_ "modernc.org/sqlite"

	marks "github.com/kustiq/kustiq/internal/stripesim/canary"
)

func TestNothingOfAPayloadIsKept(t *testing.T) {
	d := startDev(t, "--events-per-minute", "300", "--notify-allow-cidrs", "127.0.0.0/8")
	receiver := d.listen(t)
	t.Run("things happen", d.letThingsHappen)
	t.Run("what a receiver is told", func(t *testing.T) { d.tellsNobodysName(t, receiver) })
	t.Run("Stripe's answers carry what is looked for", d.answersCarryEveryKind)
	t.Run("events that do not fit", d.spoilEvents)
	t.Run("consents that do not fit", d.spoilConsents)
	t.Run("odd questions", d.askOddly)
	t.Run("what is shown", d.showsNamesOnly)
	t.Run("while it runs", func(t *testing.T) {
		d.keepsNothing(t, slices.Concat(files(t, d.home), d.said(), d.resources(t)))
	})
	d.stop(t)
	t.Run("after it stopped", func(t *testing.T) {
		left := files(t, d.home)
		d.keepsNothing(t, slices.Concat(left, d.said()))
		d.lookedEverywhere(t, left)
	})
}

// keepsNothing fails for everything that must not be there. Names are on the terminal, where kustiq dev shows the table of
// its demo.
func (d *dev) keepsNothing(t *testing.T, pieces []piece) {
	t.Helper()
	unnamed := append(marks.NeverKept(), marks.Email)
	kept := slices.DeleteFunc(slices.Clone(pieces), func(p piece) bool { return p.where == "stdout" })
	for _, l := range append(search(marks.NewFinder(unnamed...), pieces), search(marks.NewFinder(marks.Name), kept)...) {
		t.Errorf("%s: %v", l.where, l.found)
	}
}

// showsNamesOnly looks at what is shown to those who may see who their customers are: names, and no e-mail address.
func (d *dev) showsNamesOnly(t *testing.T) {
	customers := d.customers(t)
	for what, pieces := range map[string][]piece{"pages": d.pages(t, customers), "answers": d.answers(t, customers)} {
		for _, l := range search(marks.NewFinder(append(marks.NeverKept(), marks.Email)...), pieces) {
			t.Errorf("%s: %v", l.where, l.found)
		}
		if named := search(marks.NewFinder(marks.Name), pieces); len(named) < len(customers) {
			t.Errorf("%d of %d %s show a name, of %d customers", len(named), len(pieces), what, len(customers))
		}
	}
}

// lookedEverywhere shows that the files were the right ones and could be read.
func (d *dev) lookedEverywhere(t *testing.T, left []piece) {
	g := NewWithT(t)
	g.Expect(holding(left, d.known)).To(ContainElement("data/kustiq.db"), "the store does not know a customer")
	g.Expect(holding(left, "stripe-spoiled")).To(ContainElement(HavePrefix("data/etcd/")), "etcd does not know a connection")
	g.Expect(holding(left, "a genuine event cannot be decoded")).To(ConsistOf("data/logs/kustiq.log"))
	g.Expect(holding(left, `"level":"DEBUG`)).To(ContainElement("data/logs/kustiq.log"), "the log is not at its most verbose")
	g.Expect(holding(left, "a genuine event cannot be read and is listed as failed")).To(ConsistOf("data/logs/kustiq.log"))
	// Signals pass over the bus, persons and all, and are gone when they are processed. What stays there are routes, which
	// name the account: without encryption they could be read, and so could signals in passing.
	blocks := slices.DeleteFunc(slices.Clone(left), func(p piece) bool {
		return !strings.HasPrefix(p.where, "data/bus/") || !strings.HasSuffix(p.where, ".blk")
	})
	g.Expect(len(blocks)).To(BeNumerically(">", 3), "the bus has no files")
	g.Expect(holding(blocks, d.env["ACCOUNT_ID"])).To(BeEmpty(), "the bus is not encrypted")
}

// A search that finds nothing must be one that would have found something.
func TestTheSearchFindsWhatIsThere(t *testing.T) {
	d := startDev(t, "--scenario", "empty")
	if leaks := search(marks.NewFinder(), slices.Concat(files(t, d.home), d.said(), d.resources(t))); len(leaks) > 0 {
		t.Errorf("before anything was planted: %v", leaks)
	}
	bird := marks.New(1, "cus_Planted")
	d.plantResources(t, bird)
	if err := os.WriteFile(filepath.Join(d.home, "data", "logs", "planted.log"), []byte(`{"msg":"`+marks.CustomerName(3)+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	finds := func(pieces []piece, kinds map[string]marks.Kind) {
		t.Helper()
		found := map[string]map[marks.Kind]bool{}
		for _, l := range search(marks.NewFinder(), pieces) {
			found[l.where] = map[marks.Kind]bool{}
			for _, s := range l.found {
				found[l.where][s.Kind] = true
			}
		}
		for where, kind := range kinds {
			if !found[where][kind] {
				t.Errorf("the %s in %s is not found, only %v", kind, where, found)
			}
		}
	}
	finds(slices.Concat(files(t, d.home), d.said(), d.resources(t)), map[string]marks.Kind{
		"Secret default/planted": marks.Card, "Secret default/planted key": marks.Card, "ConfigMap default/planted": marks.Address,
		"ConfigMap default/planted key": marks.Bank, "Event default/planted": marks.Email, etcdLog: marks.Phone, "data/logs/planted.log": marks.Name,
	})
	d.stop(t)
	plantRow(t, filepath.Join(d.home, "data", "kustiq.db"), bird.Note())
	finds(files(t, d.home), map[string]marks.Kind{etcdLog: marks.Address, "data/kustiq.db": marks.TaxID})
}

// etcdLog is etcd's write-ahead log, which has all that was ever written.
const etcdLog = "data/etcd/member/wal/0000000000000000-0000000000000000.wal"

func (d *dev) plantResources(t *testing.T, bird marks.Bird) {
	t.Helper()
	kube := kubernetes.NewForConfigOrDie(d.kube).CoreV1()
	meta := metav1.ObjectMeta{Namespace: "default", Name: "planted", Annotations: map[string]string{"phone": bird.Phone()}}
	_, err := kube.Secrets("default").Create(t.Context(), &corev1.Secret{
		ObjectMeta: meta, StringData: map[string]string{"key": bird.CardNumber()},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = kube.ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: meta, Data: map[string]string{"street": bird.Street()}, BinaryData: map[string][]byte{"key": []byte(bird.IBAN())},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = kube.Events("default").Create(t.Context(), &corev1.Event{
		ObjectMeta: meta, InvolvedObject: corev1.ObjectReference{Namespace: "default"}, Message: bird.Email(),
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// plantRow puts a text into the store's own file.
func plantRow(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("CREATE TABLE planted (text TEXT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO planted VALUES (?)", text); err != nil {
		t.Fatal(err)
	}
}

package browser

import (
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/dashboard"
	"github.com/kustiq/kustiq/engine/store"
)

// TestAnUpdateTakesNothingAway looks at what an update of a page by itself leaves to somebody with a keyboard and a screen
// reader: the focus, and a word about what has changed.
func TestAnUpdateTakesNothingAway(t *testing.T) {
	w := newWindow(t)
	s := newShowcase(t, showcaseNow)
	s.all = subjects(60, showcaseNow.Unix())
	NewWithT(t).Expect(s.store.Update(t.Context(), func(tx *store.Tx) error { return s.pass(t.Context(), tx, map[string]int{}) })).To(Succeed())
	s.serve(t, func(o *dashboard.Options) { o.LocalUser = "kim@acme.example" })
	w.do(as(looks[0]))
	for _, part := range []struct {
		name string
		test func(*window, *showcase)
	}{
		{"the list keeps the focus, and a filter says how many it found", listIsUpdated},
		{"a progress bar moves", barMoves},
		{"the steps of a connection are told as they come true", stepsAreTold},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(&window{t: t, ctx: w.ctx}, s) })
	}
}

// focus puts the focus on an element, and marks the page, so that one that was loaded anew is known.
func (w *window) focus(id string) {
	w.t.Helper()
	w.until(`document.getElementById(` + strconv.Quote(id) + `) !== null`)
	w.do(chromedp.Focus(chromedp.CSS("#" + id)))
	value[bool](w, `(window.stayed = true)`)
}

func (w *window) keepsFocus(id string) {
	w.t.Helper()
	w.until(`document.querySelector(".htmx-swapping, .htmx-settling") === null`)
	if has := value[string](w, `window.stayed ? document.activeElement.id : "another page"`); has != id {
		w.t.Errorf("the focus is on %q, and was on %q", has, id)
	}
}

// says waits until a screen reader is told something.
func (w *window) says(words string) {
	w.t.Helper()
	w.until(`document.querySelector("[data-news]").textContent.includes(` + strconv.Quote(words) + `)`)
}

func listIsUpdated(w *window, s *showcase) {
	w.visit(s.url + "/dashboard/churn?workspace=" + showcaseWorkspace)
	w.until(isLive)
	w.focus("export")
	value[bool](w, `((part) => (part.old = true, part.dispatchEvent(new CustomEvent("changed"))))(document.querySelector("#segment"))`)
	w.until(`!document.querySelector("#segment").old`)
	w.keepsFocus("export")
	if told := value[string](w, `document.querySelector("[data-news]").textContent`); told != "" {
		w.t.Errorf("it is told %q though nobody has asked", told)
	}
	w.focus("f-tier")
	w.do(chromedp.KeyEvent("C"))
	w.until(`location.search.includes("tier=Critical")`)
	w.says("of this selection")
	w.keepsFocus("f-tier")
	w.until(`document.querySelector("#shown").innerText.startsWith(parseInt(document.querySelector("[data-news]").textContent))`)

	w.do(chromedp.Focus(chromedp.CSS("#workspace")), chromedp.KeyEvent("g")) // globex, which is not shown before it is asked for
	w.until(`document.querySelector("#workspace").value.startsWith("globex")`)
	w.keepsFocus("workspace")
	w.click(`form.switch button`)
	w.until(`location.search.includes("globex") && document.querySelector("#nobody, .empty") !== null`)
}

func barMoves(w *window, s *showcase) {
	g := NewWithT(w.t)
	w.visit(s.url + "/dashboard/integrations?workspace=initech/production")
	w.until(`document.querySelector("#status-stripe-live progress[value='42']") !== null`)
	w.focus("status-stripe-live-CustomersMatched")
	reading := &v1alpha1.Backfill{}
	g.Expect(s.kube.Get(w.t.Context(), client.ObjectKey{Namespace: "initech", Name: "stripe-live-initial"}, reading)).To(Succeed())
	reading.Status.Percent = 57
	g.Expect(s.kube.Update(w.t.Context(), reading)).To(Succeed())
	w.until(`document.querySelector("#status-stripe-live progress[value='57']") !== null`)
	w.keepsFocus("status-stripe-live-CustomersMatched")
}

func stepsAreTold(w *window, s *showcase) {
	g := NewWithT(w.t)
	w.visit(s.url + "/connect/initech/stripe-test")
	w.focus("about-Authorized")
	conn := &v1alpha1.StripeConnection{}
	g.Expect(s.kube.Get(w.t.Context(), client.ObjectKey{Namespace: "initech", Name: "stripe-test"}, conn)).To(Succeed())
	conn.Status.Conditions = append(conn.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionAccountActive, Status: "True", Reason: "Active"})
	g.Expect(s.kube.Update(w.t.Context(), conn)).To(Succeed())
	w.says("3 of 8 steps are done. Account authorised: ERR_ST_401")
	w.keepsFocus("about-Authorized")
}

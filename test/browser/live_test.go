package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

const (
	isLive       = `document.querySelector("[data-live-state=live]") !== null`
	onlyCritical = `document.querySelectorAll("[data-row]").length > 0 &&
		document.querySelectorAll("[data-row]").length === document.querySelectorAll("[data-row] .pill.critical").length`
)

// choose takes an option of a select.
func (w *window) choose(selector, option string) {
	w.t.Helper()
	value[bool](w, fmt.Sprintf(`((e) => (e.value = %q, e.dispatchEvent(new Event("change", {bubbles: true}))))(document.querySelector(%q))`, option, selector))
}

// TestAChoiceAndAnUpdateMeet holds a choice's request until an update has come.
func TestAChoiceAndAnUpdateMeet(t *testing.T) {
	w, s := newWindow(t), openShowcase(t)
	w.do(as(looks[0]), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
			window.EventSource = class extends EventSource { constructor(...a) { super(...a); window.stream = this } };
			const send = XMLHttpRequest.prototype.send;
			XMLHttpRequest.prototype.send = function (...a) { window.held ? held.push(() => send.apply(this, a)) : send.apply(this, a) };`})
		return err
	}))
	w.visit(s.url + "/dashboard/churn")
	w.until(isLive)
	value[bool](w, `(window.held = [], window.before = document.querySelector("#segment"), true)`)
	w.choose("#f-tier", "Critical")
	w.until(`held.length === 1`)
	value[bool](w, `stream.dispatchEvent(new Event("changed"))`)
	value[bool](w, `(held.pop()(), true)`) // the newest first
	w.until(`document.querySelector("#segment") !== before && held.length === 1`)
	value[bool](w, `(held.pop()(), window.held = null, true)`)
	w.until(onlyCritical + ` && location.search.includes("tier=Critical")`)
}

// between stands between the browser and the showcase, and holds what belongs to a meeting of an update and a choice.
type between struct {
	next http.Handler
	// came tells that a request is held; those of update and choice go on when theirs is closed.
	came           chan struct{}
	update, choice chan struct{}
}

func (b *between) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	gate := b.choice
	if r.Header.Get("HX-Trigger") == "segment" {
		gate = b.update
	}
	if r.Header.Get("HX-Target") == "segment" {
		b.came <- struct{}{}
		select {
		case <-gate:
		case <-r.Context().Done(): // the page has withdrawn it
			return
		}
	}
	b.next.ServeHTTP(w, r)
}

// held waits for the next request that is.
func (b *between) held(w *window) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	select {
	case <-b.came:
	case <-ctx.Done():
		w.fail("the page asks for nothing")
	}
}

// TestAChoiceOvertakesAnUpdate has an update answered while a choice is under way.
func TestAChoiceOvertakesAnUpdate(t *testing.T) {
	w, s := newWindow(t), openShowcase(t)
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	b := &between{next: httputil.NewSingleHostReverseProxy(target), came: make(chan struct{}, 9), update: make(chan struct{}), choice: make(chan struct{})}
	front := httptest.NewServer(b)
	t.Cleanup(func() {
		front.CloseClientConnections() // the stream ends by itself in minutes
		front.Close()
	})
	w.visit(front.URL + "/dashboard/churn")
	w.until(isLive)
	value[bool](w, `(document.addEventListener("htmx:sendAbort", () => (window.withdrawn = true)), window.before = document.querySelector("#segment")).dispatchEvent(new Event("changed"))`)
	b.held(w)
	w.choose("#f-tier", "Critical")
	b.held(w)
	close(b.update)
	w.until(`window.withdrawn || document.querySelector("#segment") !== before`)
	close(b.choice)
	w.until(onlyCritical + ` && location.search.includes("tier=Critical")`)
}

// TestGoingBackStaysLive goes back from a choice.
func TestGoingBackStaysLive(t *testing.T) {
	w, s := newWindow(t), openShowcase(t)
	w.visit(s.url + "/dashboard/churn")
	w.until(isLive)
	value[bool](w, `(window.stayed = true)`)
	w.choose("#f-tier", "Critical")
	w.until(onlyCritical + ` && location.search.includes("tier=Critical")`)
	value[bool](w, `(history.back(), true)`)
	w.until(`window.stayed !== true && !location.search.includes("tier") && ` + isLive)
}

// TestAFailedUpdateIsTold has the card of a connection ask where nobody answers, for a while.
func TestAFailedUpdateIsTold(t *testing.T) {
	w, s := newWindow(t), openShowcase(t)
	w.visit(s.url + "/dashboard/integrations?workspace=initech/production")
	const told = `!document.querySelector("[data-not-updated]").hidden`
	value[bool](w, `((open) => (XMLHttpRequest.prototype.open = function (method, path, ...a) {
		open.call(this, method, window.lost ? "/dashboard/none" : path, ...a);
	}, window.lost = true))(XMLHttpRequest.prototype.open)`)
	w.until(told)
	value[bool](w, `(window.lost = false, true)`)
	w.until(`!(` + told + `)`)
}

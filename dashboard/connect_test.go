package dashboard

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

const connectPage = "/connect/ns/stripe-live"

// stands changes the connection as the operator would.
func (d *desk) stands(change func(*v1alpha1.StripeConnection)) {
	d.t.Helper()
	conn := &v1alpha1.StripeConnection{}
	err := d.dashboard.Kube.Get(d.t.Context(), stripeLive, conn)
	if err == nil {
		change(conn)
		err = d.dashboard.Kube.Update(d.t.Context(), conn)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func authorized(status metav1.ConditionStatus, reason string) func(*v1alpha1.StripeConnection) {
	return func(c *v1alpha1.StripeConnection) {
		c.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionAuthorized, Status: status, Reason: reason, Message: "Because."}}
	}
}

// A page that came without the button is loaded anew when there is one, and no other is: it would be for ever.
func TestTheButtonComesWithAPageOfItsOwn(t *testing.T) {
	d := open(t)
	offer, _, err := d.bus.Offers().Get(t.Context(), "uid-1")
	if err != nil || d.bus.Offers().Delete(t.Context(), "uid-1") != nil {
		t.Fatal(err)
	}
	const again = connectPage + "?without-form=1"
	d.has(d.page(connectPage), "still preparing", `hx-get="`+again+`"`, `every 2s`)
	if got := d.ask(again, "HX-Request", "true").Header.Get("HX-Refresh"); got != "" {
		t.Error("it is loaded anew before there is a button")
	}
	if _, err := d.bus.Offers().Put(t.Context(), "uid-1", offer); err != nil {
		t.Fatal(err)
	}
	if got := d.ask(again, "HX-Request", "true").Header.Get("HX-Refresh"); got != "true" {
		t.Error("the button came without its policy")
	}
}

func TestAConsentIsWaitedForUntilItCameToNothing(t *testing.T) {
	d := open(t)
	for reason, want := range map[string]string{
		v1alpha1.ReasonAwaitingConsent: `hx-get="" hx-trigger="every 1s"`, v1alpha1.ReasonModeMismatch: `hx-get="" hx-trigger="every 5s"`,
		v1alpha1.ReasonAccountTaken: `hx-get="" hx-trigger="every 5s"`, v1alpha1.ReasonStripe403: `hx-get="" hx-trigger="every 5s"`,
	} {
		d.stands(authorized(metav1.ConditionFalse, reason))
		d.has(d.page(connectPage+"?waiting=1"), want, "Because.", "Continue to Stripe")
		if part := d.ask(connectPage+"?waiting=1", "HX-Request", "true"); part.Header.Get("HX-Refresh") != "" {
			t.Errorf("%s: it is loaded anew", reason)
		}
	}
}

func TestAGrantIsRenewed(t *testing.T) {
	d := open(t)
	d.stands(authorized(metav1.ConditionTrue, v1alpha1.ReasonGranted))
	d.has(d.page(connectPage), "Authorise again", "Continue to Stripe")
	back := d.do("GET", callback(d.begin(), "code=ac_1"), nil).Header.Get("Location")
	if back != connectPage+"?renewed=1" {
		t.Errorf("it leads to %s", back)
	}
	page := d.page(back)
	d.has(page, "redeems the new authorisation")
	if strings.Contains(page, "It never") {
		t.Error("who has agreed is told again what they agreed to")
	}
}

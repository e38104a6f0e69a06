package stripeconnection

import (
	"strings"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// scope is what one reconcile knows. The comments say which step fills a field; nothing else changes it.
type scope struct {
	// From the start: the connection as read, and a working copy of its status that is written once at the end.
	conn       *v1alpha1.StripeConnection
	status     *v1alpha1.StripeConnectionStatus
	conditions *kube.Conditions
	uid        string
	mode       mode
	now        time.Time

	// regionName, region and bus: from the start when the connection has a region, else by entitle; bus is nil when the
	// region is not served.
	regionName string
	region     Region
	bus        *bus.Bus

	// health: whichever step asks for it first, by healthOf.
	health *bus.Health

	// workspace: entitle.
	workspace *v1alpha1.Workspace
	// platform: readCredentials.
	platform stripeapi.Platform
	// token: authorize, replaced by rotate; nil when there is none.
	token *tokenstore.Record
	// account, lost, probed and stretched: probe. lost says that Stripe no longer honours the grant, probed whose
	// credentials it was asked with, and stretched how often it can be asked.
	account   stripeapi.AccountInfo
	lost      bool
	probed    string
	stretched time.Duration
	// receiving: registerEndpoint, once the receiver can verify this connection's events.
	receiving bool
	// routed: route, once events are accepted.
	routed bool

	// withdraw: any step that finds that events must not be accepted now.
	withdraw bool
	// next: any step that wants to be run again before the regular pace.
	next time.Duration
	// notes: any step; published as Events after the status is written.
	notes []note
}

// note is an Event to be.
type note struct{ kind, reason, action, text string }

func (r *Reconciler) newScope(conn *v1alpha1.StripeConnection) *scope {
	now := r.Clock.Now()
	s := &scope{
		conn:       conn,
		status:     conn.Status.DeepCopy(),
		conditions: kube.NewConditions(conn.Status.Conditions, conn.Generation, now),
		uid:        string(conn.UID),
		mode:       modeOf(conn.Spec.Mode),
		now:        now,
	}
	if conn.Status.Region != "" {
		r.enterRegion(s, conn.Status.Region)
	}
	return s
}

// enterRegion points the scope at a region's receiver and bus, when this installation serves it.
func (r *Reconciler) enterRegion(s *scope, name v1alpha1.Region) (served bool) {
	s.regionName = string(name)
	s.region, served = r.Regions[s.regionName]
	s.bus = s.region.Bus
	return served
}

// again asks for another reconcile after d at the latest.
func (s *scope) again(d time.Duration) {
	if d > 0 && (s.next == 0 || d < s.next) {
		s.next = d
	}
}

// look is how often the connection is looked at when nothing happens.
func (s *scope) look() time.Duration { return max(s.stretched, regularPace) }

// pace is the sooner of what a step asked for and the regular look.
func (s *scope) pace() time.Duration {
	if s.next > 0 && s.next < s.look() {
		return s.next
	}
	return s.look()
}

func (s *scope) note(kind, reason, action, text string) {
	s.notes = append(s.notes, note{kind: kind, reason: reason, action: action, text: text})
}

// forced says whether somebody asks for fresh probes and has not got them yet.
func (s *scope) forced() bool {
	return s.asked(v1alpha1.ReconcileAtAnnotation) != s.conn.Status.Handled.ReconcileAt
}

// maxAsked is as much of an annotation's value as the status repeats.
const maxAsked = 255

// asked is the value of an annotation that asks for an action, as the status repeats it once that is done.
func (s *scope) asked(annotation string) string {
	value := s.conn.Annotations[annotation]
	return strings.ToValidUTF8(value[:min(len(value), maxAsked)], "")
}

// workspaceKey is the workspace's name outside Kubernetes.
func (s *scope) workspaceKey() string { return s.conn.Namespace + "/" + s.conn.Spec.WorkspaceRef.Name }

// mode is Stripe's mode in the words of the bus: live or test.
type mode string

const (
	live mode = "live"
	test mode = "test"
)

func modeOf(m v1alpha1.Mode) mode {
	if m == v1alpha1.ModeLive {
		return live
	}
	return test
}

func (m mode) livemode() bool { return m == live }

func modeNamed(livemode bool) mode {
	if livemode {
		return live
	}
	return test
}

// explain puts what was found before the remedy that the code's page gives.
func explain(code errcode.Code, found string) string {
	entry, ok := errcode.Lookup(code)
	if !ok {
		return found
	}
	return found + " " + entry.Remedy
}

package stripeconnection

import (
	"slices"
	"strings"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// Metadata keys by which an endpoint is known as ours on a platform account that others may use too.
const (
	metaInstallation = "kustiq_installation"
	metaRegion       = "kustiq_region"
	metaMode         = "kustiq_mode"
)

// endpointQuota is how many endpoints Stripe allows an account to have in one mode.
const endpointQuota = 16

// endpointSpec is the endpoint that one region and mode should have.
func endpointSpec(installation string, at slot) stripeapi.EndpointSpec {
	return stripeapi.EndpointSpec{
		URL:    at.url,
		Events: append(signal.EventTypes(), signal.ControlEventTypes()...),
		Metadata: map[string]string{
			metaInstallation: installation,
			metaRegion:       strings.ToLower(at.region),
			metaMode:         string(at.mode),
		},
		Description: "Kustiq: churn signals, region " + at.region,
		Enabled:     true,
	}
}

// endpointPlan is what has to be done at Stripe.
type endpointPlan struct {
	// keep is the endpoint whose secret we have and that goes on; empty when there is none.
	keep string
	// create says that another must be made: there is none, or its secret or API version is to be replaced.
	create bool
	// repair is why keep must be brought back to the spec: one of the API's reasons; "" when it is as it should be.
	repair string
	// strays are endpoints of ours that nothing can verify: left by a crash between their creation and the keeping of
	// their secret. They go first, so that there are never more than two.
	strays []string
}

// planEndpoint decides from what Stripe lists, from the endpoints whose secrets we hold, and from a request for a new
// secret. While one is being replaced, no further replacement begins.
func planEndpoint(listed []stripeapi.Endpoint, held heldEndpoint, spec stripeapi.EndpointSpec, rotation string) endpointPlan {
	var plan endpointPlan
	outdated := false
	for _, endpoint := range listed {
		switch {
		case !ours(endpoint, spec):
		case endpoint.ID == held.ID && slices.Contains(held.SecretIDs, endpoint.ID):
			plan.keep, plan.repair = endpoint.ID, drift(endpoint, spec)
			outdated = endpoint.APIVersion != stripeapi.APIVersion
		case held.Retiring != nil && endpoint.ID == held.Retiring.ID && !held.Retiring.Removed:
		default:
			plan.strays = append(plan.strays, endpoint.ID)
		}
	}
	plan.create = plan.keep == "" || held.wants(rotation) || (outdated && held.Retiring == nil)
	return plan
}

// lost says whether events could not arrive: the endpoint is not as it should be, or is gone, or only its secret is.
func (p endpointPlan) lost(held heldEndpoint) bool {
	return p.repair != "" || (p.keep == "" && (held.ID != "" || len(p.strays) > 0))
}

func ours(endpoint stripeapi.Endpoint, spec stripeapi.EndpointSpec) bool {
	for key, value := range spec.Metadata {
		if endpoint.Metadata[key] != value {
			return false
		}
	}
	return true
}

// oursAmong are the ids of our endpoints among those that Stripe lists.
func oursAmong(listed []stripeapi.Endpoint, spec stripeapi.EndpointSpec) []string {
	var ids []string
	for _, endpoint := range listed {
		if ours(endpoint, spec) {
			ids = append(ids, endpoint.ID)
		}
	}
	return ids
}

// drift says how an endpoint differs from its spec.
func drift(endpoint stripeapi.Endpoint, spec stripeapi.EndpointSpec) string {
	if endpoint.Status == "disabled" {
		return v1alpha1.ReasonEndpointDisabled
	}
	if endpoint.URL != spec.URL || !sameSet(endpoint.Events, spec.Events) {
		return v1alpha1.ReasonEndpointDrift
	}
	return ""
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

package stripeconnection

import (
	"context"
	"fmt"
	"strings"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/step"
)

// serveRegion checks that this installation has a receiver and a bus where the Workspace's data must stay. A Workspace's
// region cannot be changed, but a Workspace can be deleted and made again in another: the connection does not move.
func (r *Reconciler) serveRegion(_ context.Context, s *scope) error {
	wanted := s.workspace.Spec.Region
	if pinned := s.status.Region; pinned != "" && pinned != wanted {
		s.withdraw = true
		return step.UserAction(errcode.RegionMismatch, fmt.Sprintf(
			"The connection was made in region %s, and its Workspace is now in %s. Delete the connection and create it again.", pinned, wanted))
	}
	if s.bus == nil {
		s.withdraw = true
		return step.UserActionFor(v1alpha1.ReasonRegionNotServed, fmt.Sprintf(
			"This installation does not serve region %s. Use an installation that does, or ask its operator to add the region.", wanted))
	}
	s.status.Region = wanted
	return nil
}

// pinRegion checks that the account's country belongs into the Workspace's region. A mismatch stops events from being
// accepted; the grant is kept, so that allowing it resumes by itself. It runs whatever the steps before it found, since
// the receiver accepts events whether Stripe answers us or not: the country that was seen last is good enough to judge by.
func (r *Reconciler) pinRegion(_ context.Context, s *scope) error {
	country, seen := s.account.Country, s.account.ID != ""
	if !seen {
		country = s.status.Country
	}
	if s.withdraw || s.workspace == nil || (!seen && country == "") {
		return nil // it is said already why nothing is accepted, or nothing is known
	}
	wanted := s.workspace.Spec.Region
	home := regionOfCountry(country)
	if home != wanted && s.workspace.Spec.CrossRegion != v1alpha1.CrossRegionAllow {
		s.withdraw = true
		return step.UserAction(errcode.RegionMismatch, explain(errcode.RegionMismatch, fmt.Sprintf(
			"The account's country %s belongs to region %s, the Workspace to %s.", country, home, wanted)))
	}
	message := fmt.Sprintf("Events of this account (%s) are received and kept in region %s.", country, wanted)
	if home != wanted {
		message = fmt.Sprintf("The account's country %s belongs to region %s; its events are kept in %s, as the Workspace's crossRegion allows.", country, home, wanted)
	}
	s.conditions.True(v1alpha1.ConditionRegionPinned, v1alpha1.ReasonPinned, message)
	return nil
}

// europe is the EU, the rest of the EEA, the United Kingdom and Switzerland: the countries whose accounts belong into
// region EU. Everything else belongs into US.
const europe = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO GB CH"

var europeans = func() map[string]bool {
	set := map[string]bool{}
	for _, country := range strings.Fields(europe) {
		set[country] = true
	}
	return set
}()

// regionOfCountry maps an ISO 3166-1 alpha-2 code to the region that its accounts belong to.
func regionOfCountry(country string) v1alpha1.Region {
	if europeans[strings.ToUpper(country)] {
		return v1alpha1.RegionEU
	}
	return v1alpha1.RegionUS
}

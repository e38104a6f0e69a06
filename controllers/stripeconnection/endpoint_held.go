package stripeconnection

import (
	"slices"
	"time"

	"github.com/kustiq/kustiq/internal/bus"
)

const (
	// secretOverlap is how long the endpoint before stays beside its successor. Stripe repeats a failed delivery to the
	// endpoint that it failed at, at most 12 hours apart (Stripe's documentation of webhook retries): whatever was waiting
	// when its successor was made has been tried once more within this time.
	secretOverlap = 13 * time.Hour
	// secretAfterlife is how long a removed endpoint's secret is still believed: the age up to which a signature is, twice.
	secretAfterlife = 10 * time.Minute
)

// heldEndpoint is what we hold of a slot: its endpoint's id and its signing secrets, sealed, the newest first. Stripe
// tells a secret only when it creates the endpoint, so this is kept in a Secret before anything relies on it, and the
// embedded part is copied to the bus.
type heldEndpoint struct {
	bus.Endpoint
	// Retiring is the endpoint before the current one while its secret is still accepted.
	Retiring *retiringEndpoint `json:"retiring,omitempty"`
	// Mended is when events last could not arrive, because somebody had changed the endpoint at Stripe.
	Mended *outage `json:"mended,omitempty"`
	// RotatedFor is the request that the current secret was made for.
	RotatedFor string `json:"rotated_for,omitempty"`
}

// outage is a time in which Stripe sent nothing, or elsewhere, and kept nothing for later.
type outage struct {
	// Since is when all was well for the last time that is known; zero when none is.
	Since time.Time `json:"since,omitzero"`
	// Until is when it was put right.
	Until time.Time `json:"until"`
}

// mendedPause is how close two outages are one: a connection that has not looked in between hears of both.
const mendedPause = time.Hour

// mended notes the end of an outage.
func (h heldEndpoint) mended(since, now time.Time) heldEndpoint {
	if before := h.Mended; before != nil && now.Sub(before.Until) < mendedPause {
		since = before.Since
	}
	h.Mended = &outage{Since: since, Until: now}
	return h
}

// retiringEndpoint is removed from Stripe at Until; its secret is forgotten at the next Until.
type retiringEndpoint struct {
	ID      string    `json:"id"`
	Until   time.Time `json:"until"`
	Removed bool      `json:"removed,omitempty"`
}

// wants says whether a request for a new secret is still to be granted. A replacement that is under way grants all that
// come meanwhile.
func (h heldEndpoint) wants(rotation string) bool {
	return rotation != "" && rotation != h.RotatedFor && h.Retiring == nil
}

// due says whether the retiring endpoint's time has come.
func (h heldEndpoint) due(now time.Time) bool {
	return h.Retiring != nil && !now.Before(h.Retiring.Until)
}

// replacedBy prepares for a successor: the endpoint of the given id, "" when somebody has removed it, stays accepted
// beside it, or as long as what it signed last may still arrive.
func (h heldEndpoint) replacedBy(keep, rotation string, now time.Time) heldEndpoint {
	if rotation != "" {
		h.RotatedFor = rotation
	}
	switch {
	case h.ID == "":
	case keep != "":
		h.Retiring = &retiringEndpoint{ID: keep, Until: now.Add(secretOverlap)}
	case h.Retiring != nil: // two old secrets at once are more than is kept
		return h.withoutSecret(h.ID)
	default:
		h.Retiring = &retiringEndpoint{ID: h.ID, Until: now.Add(secretAfterlife), Removed: true}
	}
	return h
}

// without forgets the retired endpoint and its secret.
func (h heldEndpoint) without(id string) heldEndpoint {
	h.Retiring = nil
	return h.withoutSecret(id)
}

func (h heldEndpoint) withoutSecret(id string) heldEndpoint {
	at := slices.Index(h.SecretIDs, id)
	if at < 0 {
		return h
	}
	h.SecretIDs, h.Secrets = slices.Delete(slices.Clone(h.SecretIDs), at, at+1), slices.Delete(slices.Clone(h.Secrets), at, at+1)
	return h
}

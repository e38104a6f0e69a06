package bus

import (
	"crypto/sha256"
	"encoding/hex"
)

// Settings tell the engine what one Workspace asks for. The key is the workspace, "namespace/name".
type Settings struct {
	// AtRiskThreshold is the score from which a customer is at risk.
	AtRiskThreshold int `json:"at_risk_threshold"`
	// Receivers are told of churn events.
	Receivers []Receiver `json:"receivers,omitempty"`
}

// Receiver is told of a workspace's churn events.
type Receiver struct {
	// ID is ReceiverID of its URL.
	ID string `json:"id"`
	// Host is the URL's host and port, which is all of it that may be shown: a path can be a secret.
	Host string `json:"host"`
	// EventTypes it is told of; empty means all.
	EventTypes []string `json:"event_types,omitempty"`
	// Sealed is a ReceiverSecret in JSON, sealed with the bus keyset in the context of ReceiverContext.
	Sealed []byte `json:"sealed"`
}

// ReceiverSecret is what nobody but the engine has to know of a receiver.
type ReceiverSecret struct {
	URL string `json:"url"`
	// Secrets sign each event, in the form whsec_….
	Secrets []string `json:"secrets"`
}

// ReceiverID names a receiver by its URL without telling it.
func ReceiverID(url string) string {
	sum := sha256.Sum256([]byte("kustiq receiver\x00" + url))
	return hex.EncodeToString(sum[:8])
}

// ReceiverContext binds what is sealed of a receiver to its workspace and URL.
func ReceiverContext(workspace, id string) string { return "receiver/" + workspace + "/" + id }

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Mode is Stripe's live or test mode.
// +kubebuilder:validation:Enum=Live;Test
type Mode string

// The modes.
const (
	ModeLive Mode = "Live"
	ModeTest Mode = "Test"
)

// Window is how far back a backfill reads.
// +kubebuilder:validation:Enum="30d";"90d";AllTime
type Window string

// The windows.
const (
	Window30d     Window = "30d"
	Window90d     Window = "90d"
	WindowAllTime Window = "AllTime"
)

// DeletionPolicy says what becomes of a connection's scores when it is deleted.
// +kubebuilder:validation:Enum=Retain;Erase
type DeletionPolicy string

// The deletion policies.
const (
	DeletionRetain DeletionPolicy = "Retain"
	DeletionErase  DeletionPolicy = "Erase"
)

// BackfillPolicy is the history that a new connection reads.
type BackfillPolicy struct {
	// Window of the first backfill. Default 30d.
	// +optional
	// +kubebuilder:default="30d"
	Window Window `json:"window,omitempty"`
}

// MatchingPolicy is how customers are matched to profiles.
type MatchingPolicy struct {
	// MinimumConfidence, 90 to 100, of a match that may feed a score. Default 90.
	// +optional
	// +kubebuilder:default=90
	// +kubebuilder:validation:Minimum=90
	// +kubebuilder:validation:Maximum=100
	MinimumConfidence int32 `json:"minimumConfidence,omitempty"`
}

// StripeConnectionSpec declares one Stripe account in one mode.
// +kubebuilder:validation:XValidation:rule="self.workspaceRef.name == oldSelf.workspaceRef.name",message="workspaceRef cannot be changed: create another StripeConnection"
type StripeConnectionSpec struct {
	// WorkspaceRef names the Workspace in the same namespace. It cannot be changed.
	WorkspaceRef LocalRef `json:"workspaceRef"`
	// Mode of the account. It cannot be changed: live and test are separate connections.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="mode cannot be changed: live and test are separate connections"
	Mode Mode `json:"mode"`
	// Backfill is the history read at first connect.
	// +optional
	// +kubebuilder:default={}
	Backfill BackfillPolicy `json:"backfill,omitempty"`
	// Matching of customers to profiles.
	// +optional
	// +kubebuilder:default={}
	Matching MatchingPolicy `json:"matching,omitempty"`
	// Suspend stops accepting events and keeps the grant. Default false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
	// DeletionPolicy says whether scores outlive the connection. Default Retain.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// TokenStatus tells of the OAuth token, never its value.
type TokenStatus struct {
	// LastRotation is when the token was last refreshed and sealed again.
	// +optional
	LastRotation *metav1.Time `json:"lastRotation,omitempty"`
	// NextRotation is when that is due again, every 6 hours with jitter.
	// +optional
	NextRotation *metav1.Time `json:"nextRotation,omitempty"`
	// Generation counts the tokens of this connection, from 1.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// EndpointStatus tells of the platform's webhook endpoint that receives this connection's events.
type EndpointStatus struct {
	// ID at Stripe.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	ID string `json:"id,omitempty"`
	// URL that Stripe posts to.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`
	// APIVersion that events are rendered in.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	APIVersion string `json:"apiVersion,omitempty"`
	// SecretGeneration counts the endpoint's signing secrets, from 1.
	// +optional
	SecretGeneration int64 `json:"secretGeneration,omitempty"`
	// RetiringID is the endpoint before this one while both secrets are accepted.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	RetiringID string `json:"retiringID,omitempty"`
	// RetiringUntil is when that endpoint is removed.
	// +optional
	RetiringUntil *metav1.Time `json:"retiringUntil,omitempty"`
	// MendedAt is when it was last found disabled, changed or deleted at Stripe and put right. What happened before is read.
	// +optional
	MendedAt *metav1.Time `json:"mendedAt,omitempty"`
}

// HandledStatus repeats the annotations that were last acted on, so that an action that was asked for once is done once.
type HandledStatus struct {
	// ReconcileAt is the value of kustiq.io/reconcile-at.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	ReconcileAt string `json:"reconcileAt,omitempty"`
	// RotateSecretAt is the value of kustiq.io/rotate-secret-at.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	RotateSecretAt string `json:"rotateSecretAt,omitempty"`
	// RematchAt is the value of kustiq.io/rematch-at.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	RematchAt string `json:"rematchAt,omitempty"`
}

// MatchStatus counts customers by the state of their match.
type MatchStatus struct {
	// Matched customers feed a profile's score.
	// +optional
	Matched int64 `json:"matched,omitempty"`
	// Review counts candidates below the minimum confidence.
	// +optional
	Review int64 `json:"review,omitempty"`
	// Unmatched customers have no candidate.
	// +optional
	Unmatched int64 `json:"unmatched,omitempty"`
	// Profiles that the Workspace has imported.
	// +optional
	Profiles int64 `json:"profiles,omitempty"`
}

// EventStatus counts webhook events since the connection was made.
type EventStatus struct {
	// Accepted and durable.
	// +optional
	Accepted int64 `json:"accepted,omitempty"`
	// Duplicates were accepted before.
	// +optional
	Duplicates int64 `json:"duplicates,omitempty"`
	// Rejected for their signature or age.
	// +optional
	Rejected int64 `json:"rejected,omitempty"`
}

// StripeConnectionStatus is what the operator found.
type StripeConnectionStatus struct {
	// ObservedGeneration is the generation that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// ConnectURL is where somebody with access to the Stripe account authorises Kustiq.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	ConnectURL string `json:"connectURL,omitempty"`
	// AccountID is the connected account, acct_….
	// +optional
	// +kubebuilder:validation:MaxLength=255
	AccountID string `json:"accountID,omitempty"`
	// Country of the account, ISO 3166-1 alpha-2.
	// +optional
	// +kubebuilder:validation:MaxLength=2
	Country string `json:"country,omitempty"`
	// Region that the connection is pinned to.
	// +optional
	Region Region `json:"region,omitempty"`
	// Livemode of the grant.
	// +optional
	Livemode *bool `json:"livemode,omitempty"`
	// Scope of the grant: read_only.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Scope string `json:"scope,omitempty"`
	// ConnectedAt is when the account was authorised.
	// +optional
	ConnectedAt *metav1.Time `json:"connectedAt,omitempty"`
	// Token tells of the OAuth token.
	// +optional
	Token TokenStatus `json:"token,omitempty"`
	// Endpoint tells of the webhook endpoint.
	// +optional
	Endpoint EndpointStatus `json:"endpoint,omitempty"`
	// Matches counts customers by match.
	// +optional
	Matches MatchStatus `json:"matches,omitempty"`
	// Events counts webhook events.
	// +optional
	Events EventStatus `json:"events,omitempty"`
	// LastEventTime is when the newest event arrived; written at most every 10 seconds.
	// +optional
	LastEventTime *metav1.Time `json:"lastEventTime,omitempty"`
	// InterruptedSince is since when events of the account may have been missed: the plan lapsed, the grant was lost,
	// the connection was suspended. Once events are accepted again, a catch-up Backfill reads what happened meanwhile.
	// +optional
	InterruptedSince *metav1.Time `json:"interruptedSince,omitempty"`
	// Handled repeats the annotations that were last acted on.
	// +optional
	Handled HandledStatus `json:"handled,omitempty"`
	// Conditions as listed in docs/stripeconnection.md.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// StripeConnection connects one Stripe account, in one mode, to a Workspace.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=strc,categories=kustiq
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 230",message="name must have at most 230 characters: its Backfills are called NAME-initial and NAME-catchup-TIME"
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.status.region`
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.status.accountID`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Last-Event",type=date,JSONPath=`.status.lastEventTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type StripeConnection struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   StripeConnectionSpec   `json:"spec"`
	Status StripeConnectionStatus `json:"status,omitempty"`
}

// StripeConnectionList is a list of StripeConnections.
// +kubebuilder:object:root=true
type StripeConnectionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []StripeConnection `json:"items"`
}

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BackfillPhase is where a backfill stands.
// +kubebuilder:validation:Enum=Pending;Running;Suspended;Succeeded;Failed
type BackfillPhase string

// The phases.
const (
	BackfillPending   BackfillPhase = "Pending"
	BackfillRunning   BackfillPhase = "Running"
	BackfillSuspended BackfillPhase = "Suspended"
	BackfillSucceeded BackfillPhase = "Succeeded"
	BackfillFailed    BackfillPhase = "Failed"
)

// BackfillSpec declares one reading of an account's history. It cannot be changed but for suspend: a replay is a new
// Backfill.
// +kubebuilder:validation:XValidation:rule="self.connectionRef.name == oldSelf.connectionRef.name",message="connectionRef cannot be changed: create another Backfill"
// +kubebuilder:validation:XValidation:rule="has(self.ttlAfterFinished) == has(oldSelf.ttlAfterFinished) && (!has(self.ttlAfterFinished) || duration(self.ttlAfterFinished) == duration(oldSelf.ttlAfterFinished))",message="ttlAfterFinished cannot be changed: delete the Backfill when it is no longer needed"
// +kubebuilder:validation:XValidation:rule="has(self.since) == has(oldSelf.since) && (!has(self.since) || self.since == oldSelf.since)",message="since cannot be changed: create another Backfill"
type BackfillSpec struct {
	// ConnectionRef names the StripeConnection in the same namespace.
	ConnectionRef LocalRef `json:"connectionRef"`
	// Window of history to read. Default 30d.
	// +optional
	// +kubebuilder:default="30d"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="window cannot be changed: create another Backfill"
	Window Window `json:"window,omitempty"`
	// Since leaves out what happened before that time; the window still bounds what is read. Unset reads the whole window.
	// The catch-up of a connection that was interrupted sets it.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
	// TTLAfterFinished is how long a finished Backfill is kept, in whole hours, minutes and seconds such as 24h or 1h30m.
	// Unset keeps it. A text that does not read as a duration must never be stored: the operator lists all Backfills at
	// once, and one that it cannot read would hide all others from it.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=18
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}[hms]){1,3}$')",message="ttlAfterFinished must be a duration such as 24h or 1h30m"
	TTLAfterFinished *metav1.Duration `json:"ttlAfterFinished,omitempty"`
	// Suspend pauses reading, before it has begun or in the middle; what was read is kept, and set to false it goes on from
	// there. Default false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// ResourceStatus is the progress of one listed resource.
type ResourceStatus struct {
	// Name of the Stripe resource, such as invoices.
	// +kubebuilder:validation:MaxLength=64
	Name string `json:"name"`
	// Objects read so far.
	// +optional
	Objects int64 `json:"objects,omitempty"`
	// Requests made for it.
	// +optional
	Requests int64 `json:"requests,omitempty"`
	// Percent read, 0 to 100: an estimate until it is done, since Stripe tells no totals.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Percent int32 `json:"percent,omitempty"`
	// Windows is in how many windows of time it is read side by side.
	// +optional
	Windows int32 `json:"windows,omitempty"`
	// WindowsLeft counts the windows that are not read to their end.
	// +optional
	WindowsLeft int32 `json:"windowsLeft,omitempty"`
	// Done says that the last page of every window was seen.
	// +optional
	Done bool `json:"done,omitempty"`
	// Cursor is the last object read in the newest window that is left.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Cursor string `json:"cursor,omitempty"`
}

// SignalCount counts the signals of one kind that were found, by how sure they are.
type SignalCount struct {
	// Kind of the signals, such as invoice.payment_failed.
	// +kubebuilder:validation:MaxLength=64
	Kind string `json:"kind"`
	// Events were read from Stripe's events, exactly as they were sent.
	// +optional
	Events int64 `json:"events,omitempty"`
	// Objects were read from one object's own fields.
	// +optional
	Objects int64 `json:"objects,omitempty"`
	// Inferred were concluded, such as a change of price from two invoices.
	// +optional
	Inferred int64 `json:"inferred,omitempty"`
}

// SignalLoss is what Stripe no longer tells of the part of the window that lies before its events.
type SignalLoss struct {
	// Kind of the signals, such as subscription.paused.
	// +kubebuilder:validation:MaxLength=64
	Kind string `json:"kind"`
	// Count of those that are known to be missing; unset when nobody can count them.
	// +optional
	Count int64 `json:"count,omitempty"`
	// Reason in words.
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason"`
}

// BackfillStatus is the progress.
type BackfillStatus struct {
	// ObservedGeneration is the generation that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Phase of the backfill.
	// +optional
	Phase BackfillPhase `json:"phase,omitempty"`
	// Percent done, 0 to 100.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Percent int32 `json:"percent,omitempty"`
	// Objects read from Stripe.
	// +optional
	Objects int64 `json:"objects,omitempty"`
	// Requests made to Stripe.
	// +optional
	Requests int64 `json:"requests,omitempty"`
	// Signals found.
	// +optional
	Signals int64 `json:"signals,omitempty"`
	// SignalKinds counts the signals found by kind and provenance.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +kubebuilder:validation:MaxItems=32
	SignalKinds []SignalCount `json:"signalKinds,omitempty"`
	// Unrecoverable lists what the window can no longer tell; set at the end.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +kubebuilder:validation:MaxItems=32
	Unrecoverable []SignalLoss `json:"unrecoverable,omitempty"`
	// Throttled counts answers 429.
	// +optional
	Throttled int64 `json:"throttled,omitempty"`
	// ThrottledSince is since when Stripe has let nothing through; unset while it does.
	// +optional
	ThrottledSince *metav1.Time `json:"throttledSince,omitempty"`
	// Rate of reading lately, such as "42 objects/s".
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Rate string `json:"rate,omitempty"`
	// ETA is when the backfill is expected to end.
	// +optional
	ETA *metav1.Time `json:"eta,omitempty"`
	// Resources lists the progress of each.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Resources []ResourceStatus `json:"resources,omitempty"`
	// StartTime is when the first page was asked for.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// CompletionTime is when it succeeded or failed.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// Conditions of the backfill: Complete, Ready, Reconciling, Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Backfill reads a connected account's history once.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=bf,categories=kustiq
// +kubebuilder:printcolumn:name="Connection",type=string,JSONPath=`.spec.connectionRef.name`
// +kubebuilder:printcolumn:name="Window",type=string,JSONPath=`.spec.window`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Percent",type=integer,JSONPath=`.status.percent`
// +kubebuilder:printcolumn:name="Objects",type=integer,JSONPath=`.status.objects`
// +kubebuilder:printcolumn:name="Signals",type=integer,JSONPath=`.status.signals`
// +kubebuilder:printcolumn:name="Rate",type=string,JSONPath=`.status.rate`
// +kubebuilder:printcolumn:name="ETA",type=string,JSONPath=`.status.eta`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="429",type=integer,priority=1,JSONPath=`.status.throttled`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Backfill struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   BackfillSpec   `json:"spec"`
	Status BackfillStatus `json:"status,omitempty"`
}

// BackfillList is a list of Backfills.
// +kubebuilder:object:root=true
type BackfillList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Backfill `json:"items"`
}

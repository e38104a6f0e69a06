package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Plan is what a tenant has bought. Stripe connections need Pro.
// +kubebuilder:validation:Enum=Free;Insight;Pro
type Plan string

// The plans.
const (
	PlanFree    Plan = "Free"
	PlanInsight Plan = "Insight"
	PlanPro     Plan = "Pro"
)

// Region is where a workspace's events are received, kept and scored.
// +kubebuilder:validation:Enum=EU;US
type Region string

// The regions: EU is Frankfurt, US is Virginia.
const (
	RegionEU Region = "EU"
	RegionUS Region = "US"
)

// CrossRegion says whether an account of another region's country may be connected.
// +kubebuilder:validation:Enum=Deny;Allow
type CrossRegion string

// The values of CrossRegion.
const (
	CrossRegionDeny  CrossRegion = "Deny"
	CrossRegionAllow CrossRegion = "Allow"
)

// EventType is an outbound churn event.
// +kubebuilder:validation:Enum=customer.at_risk;customer.recovered;customer.churned;score.changed
type EventType string

// LocalRef names an object in the same namespace.
type LocalRef struct {
	// Name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// SecretKeyRef names one key of a Secret in the same namespace.
type SecretKeyRef struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Key within the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// Notification is a receiver of outbound churn events.
// +kubebuilder:validation:XValidation:rule="self.url.startsWith('https://') || self.url.startsWith('http://127.0.0.1:') || self.url.startsWith('http://localhost:')",message="url must begin with https:// (http:// is for a loopback address on a developer's machine)"
type Notification struct {
	// URL that events are posted to.
	// +kubebuilder:validation:MinLength=9
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url"`
	// SigningSecretRef names the secret that signs the events: whsec_ and 24 to 64 bytes in base64. Several, separated by
	// spaces, all sign: that is how one takes the place of another. The operator may read it only if it is granted that.
	SigningSecretRef SecretKeyRef `json:"signingSecretRef"`
	// EventTypes to send. Empty sends all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=4
	EventTypes []EventType `json:"eventTypes,omitempty"`
}

// WorkspaceSpec is the platform team's word on a tenant.
// +kubebuilder:validation:XValidation:rule="!has(self.notifications) || self.notifications.all(n, self.notifications.exists_one(m, m.url == n.url))",message="notifications must not name a url twice"
type WorkspaceSpec struct {
	// Plan of the tenant. A plan below Pro pauses its Stripe connections and keeps their grants.
	Plan Plan `json:"plan"`
	// Region that all of the workspace's data stays in. It cannot be changed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="region cannot be changed: create a Workspace in the other region"
	Region Region `json:"region"`
	// CrossRegion says whether an account whose country belongs to another region may be connected. Default Deny.
	// +optional
	// +kubebuilder:default=Deny
	CrossRegion CrossRegion `json:"crossRegion,omitempty"`
	// AtRiskThreshold is the score, in points from 1 to 100, from which a customer counts as at risk. Default 60.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	AtRiskThreshold int32 `json:"atRiskThreshold,omitempty"`
	// Notifications are sent churn events. Each URL is there once.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Notifications []Notification `json:"notifications,omitempty"`
}

// WorkspaceStatus is what the operator found.
type WorkspaceStatus struct {
	// ObservedGeneration is the generation that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// DashboardURL is where the workspace's scores are shown and its JSON API answers.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	DashboardURL string `json:"dashboardURL,omitempty"`
	// Connections counts the StripeConnections of the workspace.
	// +optional
	Connections int32 `json:"connections,omitempty"`
	// Conditions of the workspace: Ready, NotificationsReady.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Workspace is one tenant: its plan, its region and what it wants to hear of.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ws,categories=kustiq
// +kubebuilder:printcolumn:name="Plan",type=string,JSONPath=`.spec.plan`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Connections",type=integer,JSONPath=`.status.connections`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Workspace struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   WorkspaceSpec   `json:"spec"`
	Status WorkspaceStatus `json:"status,omitempty"`
}

// WorkspaceList is a list of Workspaces.
// +kubebuilder:object:root=true
type WorkspaceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Workspace `json:"items"`
}

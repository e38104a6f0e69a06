package v1alpha1

import "time"

// Finalizer keeps a deleted object until what it owns outside Kubernetes is gone.
const Finalizer = "integrations.kustiq.io/finalizer"

// Annotations that ask for an action. Any new value counts once, so that GitOps can set them.
const (
	// ReconcileAtAnnotation forces a reconcile with fresh probes.
	ReconcileAtAnnotation = "kustiq.io/reconcile-at"
	// RotateSecretAtAnnotation asks for a new webhook signing secret.
	RotateSecretAtAnnotation = "kustiq.io/rotate-secret-at"
	// RematchAtAnnotation asks for matching all customers again.
	RematchAtAnnotation = "kustiq.io/rematch-at"
)

// ReasonPending surfaces on a condition whose step an earlier one keeps from running.
const ReasonPending = "Pending"

// Entitled says whether the Workspace's plan includes the connection.
const (
	ConditionEntitled = "Entitled"
	// ReasonPlanIncludesStripe surfaces when the plan is Pro.
	ReasonPlanIncludesStripe = "PlanIncludesStripe"
	// ReasonWorkspaceNotFound surfaces when workspaceRef names no Workspace.
	ReasonWorkspaceNotFound = "WorkspaceNotFound"
	// ReasonPlanRequired surfaces when the plan is below Pro; grants are kept.
	ReasonPlanRequired = "ERR_PLAN_REQUIRED"
)

// RegionPinned says whether the account belongs into the Workspace's region.
const (
	ConditionRegionPinned = "RegionPinned"
	// ReasonPinned surfaces when the region is served and the account's country belongs to it, or may cross.
	ReasonPinned = "Pinned"
	// ReasonRegionNotServed surfaces when this installation has no receiver in the Workspace's region.
	ReasonRegionNotServed = "RegionNotServed"
	// ReasonRegionMismatch surfaces when the account's country belongs to another region and crossRegion is Deny.
	ReasonRegionMismatch = "ERR_REGION_MISMATCH"
)

// Authorized says whether Stripe honours a grant of the account's owner.
const (
	ConditionAuthorized = "Authorized"
	// ReasonGranted surfaces when the last request with the grant succeeded.
	ReasonGranted = "Granted"
	// ReasonAwaitingConsent surfaces until somebody opens the connect URL and agrees.
	ReasonAwaitingConsent = "AwaitingConsent"
	// ReasonConsentDenied surfaces when somebody opened the connect URL and declined.
	ReasonConsentDenied = "ConsentDenied"
	// ReasonAccountTaken surfaces when another StripeConnection holds the account in this mode.
	ReasonAccountTaken = "AccountTaken"
	// ReasonPlatformCredentialsMissing surfaces when the region's platform credentials are not in their Secret.
	ReasonPlatformCredentialsMissing = "PlatformCredentialsMissing"
	// ReasonPlatformCredentialsRejected surfaces when Stripe refuses the platform's own key. EndpointRegistered may carry it.
	ReasonPlatformCredentialsRejected = "PlatformCredentialsRejected"
	// ReasonStripe401 surfaces when Stripe no longer honours the grant.
	ReasonStripe401 = "ERR_ST_401"
	// ReasonStripe403 surfaces when the grant lacks a permission.
	ReasonStripe403 = "ERR_ST_403"
	// ReasonModeMismatch surfaces when the grant's mode is not the connection's.
	ReasonModeMismatch = "ERR_MODE_MISMATCH"
)

// AccountActive says whether Stripe restricts the account.
const (
	ConditionAccountActive = "AccountActive"
	// ReasonActive surfaces when the account can take payments.
	ReasonActive = "Active"
	// ReasonAccountRestricted surfaces when Stripe has disabled charges or asks for overdue information.
	ReasonAccountRestricted = "ERR_ACCT_RESTRICTED"
)

// TokenFresh says whether the token was refreshed on schedule.
const (
	ConditionTokenFresh = "TokenFresh"
	// ReasonRotated surfaces when the token is younger than its rotation.
	ReasonRotated = "Rotated"
	// ReasonRotationFailed surfaces when a refresh failed; the token before it still works.
	ReasonRotationFailed = "RotationFailed"
)

// EndpointRegistered says whether Stripe posts the account's events to our receiver.
const (
	ConditionEndpointRegistered = "EndpointRegistered"
	// ReasonRegistered surfaces when the endpoint is enabled and as declared.
	ReasonRegistered = "Registered"
	// ReasonEndpointDisabled surfaces when Stripe or somebody disabled the endpoint, until it is enabled again.
	ReasonEndpointDisabled = "EndpointDisabled"
	// ReasonEndpointDrift surfaces when URL or events differ, until they are repaired.
	ReasonEndpointDrift = "EndpointDrift"
	// ReasonEndpointQuota surfaces when the platform account already has 16 endpoints.
	ReasonEndpointQuota = "EndpointQuota"
)

// EventsVerified says whether arriving events are genuine and fresh.
const (
	ConditionEventsVerified = "EventsVerified"
	// ReasonVerified surfaces when the newest event verified.
	ReasonVerified = "Verified"
	// ReasonAwaitingFirstEvent surfaces, with status True, until the first event arrives.
	ReasonAwaitingFirstEvent = "AwaitingFirstEvent"
	// ReasonWebhookSig surfaces when an event that Stripe knows arrives with a signature that does not verify.
	ReasonWebhookSig = "ERR_WEBHOOK_SIG"
	// ReasonWebhookStale surfaces when genuine events are more than 300 s away from our clock.
	ReasonWebhookStale = "ERR_WEBHOOK_STALE"
)

// BackfillComplete says whether the declared window of history was read.
const (
	ConditionBackfillComplete = "BackfillComplete"
	// ReasonComplete surfaces when every list was read to its last page.
	ReasonComplete = "Complete"
	// ReasonInProgress surfaces while history is being read; it does not unset Ready, since live scoring works.
	ReasonInProgress = "InProgress"
	// ReasonBackfillFailed surfaces when reading ended early; the Backfill says why.
	ReasonBackfillFailed = "BackfillFailed"
	// ReasonStripe429 surfaces when Stripe limits the rate; it goes away by itself.
	ReasonStripe429 = "ERR_ST_429"
)

// ThrottledTooLong is from when a backfill that Stripe lets nothing through of is worth a person's attention: the retry
// schedule ends with 12 hours.
const ThrottledTooLong = 12 * time.Hour

// CustomersMatched says whether enough customers match a profile. It never unsets Ready.
const (
	ConditionCustomersMatched = "CustomersMatched"
	// ReasonMatched surfaces when enough customers match with confidence.
	ReasonMatched = "Matched"
	// ReasonNoProfiles surfaces, with status Unknown, when no profiles were imported: scores then stand under Stripe's customers.
	ReasonNoProfiles = "NoProfiles"
	// ReasonMatchLow surfaces when too few customers match with confidence.
	ReasonMatchLow = "ERR_MATCH_LOW"
)

// Ready sums up the conditions above: it carries the first blocking reason.
const (
	ConditionReady = "Ready"
	// ReasonReady surfaces when nothing blocks.
	ReasonReady = "Ready"
	// ReasonSuspended surfaces while spec.suspend is set.
	ReasonSuspended = "Suspended"
	// ReasonDeleting surfaces while a deleted object is being wound up.
	ReasonDeleting = "Deleting"
)

// NotificationsReady says whether churn events can be sent to every receiver that a Workspace names. It never unsets Ready.
const (
	ConditionNotificationsReady = "NotificationsReady"
	// ReasonNoNotifications surfaces, with status True, when the Workspace names no receiver.
	ReasonNoNotifications = "NoNotifications"
	// ReasonPublished surfaces when the engine knows every receiver and what to sign with.
	ReasonPublished = "Published"
	// ReasonSecretNotReadable surfaces when the operator may not read a signing secret.
	ReasonSecretNotReadable = "SecretNotReadable"
	// ReasonSecretNotFound surfaces when a signing secret or its key does not exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretInvalid surfaces when a signing secret is none of the Standard Webhooks kind.
	ReasonSecretInvalid = "SecretInvalid"
	// ReasonURLInvalid surfaces when a receiver's URL names no host, or a user.
	ReasonURLInvalid = "URLInvalid"
)

// Reconciling is present only while it is true, as kstatus expects.
const (
	ConditionReconciling = "Reconciling"
	// ReasonProgressing surfaces while the operator works towards the declared state. A condition that could not be
	// looked at because the last attempt failed carries it too, as Unknown.
	ReasonProgressing = "Progressing"
)

// Stalled is present only while it is true, as kstatus expects.
const (
	ConditionStalled = "Stalled"
	// ReasonUserAction surfaces when only a person can move things on.
	ReasonUserAction = "UserAction"
)

// Complete says whether a Backfill ended, well or not.
const (
	ConditionComplete = "Complete"
	// ReasonSucceeded surfaces when every list was read to its last page.
	ReasonSucceeded = "Succeeded"
	// ReasonFailed surfaces when reading was given up.
	ReasonFailed = "Failed"
	// ReasonConnectionNotFound surfaces when connectionRef names no StripeConnection.
	ReasonConnectionNotFound = "ConnectionNotFound"
	// ReasonConnectionNotReady surfaces while the connection may not be read.
	ReasonConnectionNotReady = "ConnectionNotReady"
)

package v1alpha1

// Conditions. Ready, SessionActive and CredentialsValid are always present;
// SessionEndingSoon only while True, and so, as kstatus asks, Reconciling and Stalled.
const (
	// ReadyCondition: SessionActive AND CredentialsValid AND not overdue.
	ReadyCondition = "Ready"
	// SessionActiveCondition: the login session can still be refreshed.
	SessionActiveCondition = "SessionActive"
	// CredentialsValidCondition: the target Secret holds credentials that work now.
	CredentialsValidCondition = "CredentialsValid"
	// SessionEndingSoonCondition: the login session ends soon, and a person had better
	// sign in again before. Nothing is wrong yet.
	SessionEndingSoonCondition = "SessionEndingSoon"
	// ReconcilingCondition: the operator is working to get there by itself.
	ReconcilingCondition = "Reconciling"
	// StalledCondition: a person has to do something first.
	StalledCondition = "Stalled"
)

// Reasons of conditions. An event has the reason of the condition it reports.
const (
	// ReasonRefreshed: all is well (Ready).
	ReasonRefreshed = "Refreshed"
	// ReasonSessionActive: all is well (SessionActive).
	ReasonSessionActive = "SessionActive"
	// ReasonPublished: all is well (CredentialsValid).
	ReasonPublished = "Published"
	// ReasonNotTried: nothing is known yet.
	ReasonNotTried = "NotTried"

	// ReasonCredentialsExpired: the published credentials have expired.
	ReasonCredentialsExpired = "CredentialsExpired"
	// ReasonNeverPublished: no credentials have been published yet.
	ReasonNeverPublished = "NeverPublished"
	// ReasonTargetConflict: the target Secret belongs to someone else, or is immutable.
	ReasonTargetConflict = "TargetConflict"
	// ReasonPublishFailed: the target Secret could not be written.
	ReasonPublishFailed = "PublishFailed"
	// ReasonTemplateInvalid: a file of spec.target.template.data could not be
	// made. All else is published.
	ReasonTemplateInvalid = "TemplateInvalid"

	// ReasonSecretUnreadable: the login cache's or the target Secret could not be
	// read, which is not to say that it does not exist.
	ReasonSecretUnreadable = "SecretUnreadable"

	// ReasonRefreshFailing: attempts to refresh fail in ways that may pass.
	ReasonRefreshFailing = "RefreshFailing"
	// ReasonRefreshLimited: the refresh waits for its turn within --sign-in-qps.
	ReasonRefreshLimited = "RefreshLimited"
	// ReasonRefreshOverdue: the credentials are too close to their expiry.
	ReasonRefreshOverdue = "RefreshOverdue"
	// ReasonRefreshRejected: AWS answers 400 (wrong sign-in region, revoked, or an outage).
	ReasonRefreshRejected = "RefreshRejected"
	// ReasonRoleDenied: AWS denies the person the role of spec.assumeRole.
	ReasonRoleDenied = "RoleDenied"
	// ReasonRoleRejected: AWS STS rejects what spec.assumeRole asks for, or the region.
	ReasonRoleRejected = "RoleRejected"
	// ReasonRoleFailing: attempts to assume the role fail in ways that may pass.
	ReasonRoleFailing = "RoleFailing"
	// ReasonReloginRequired: the session is over; only `aws login` starts another.
	ReasonReloginRequired = "ReloginRequired"
	// ReasonPermissionDenied: IAM denies the refresh.
	ReasonPermissionDenied = "PermissionDenied"
	// ReasonLoginCacheNotFound: the Secret with the login cache does not exist.
	ReasonLoginCacheNotFound = "LoginCacheNotFound"
	// ReasonLoginCacheInvalid: the login cache cannot be used.
	ReasonLoginCacheInvalid = "LoginCacheInvalid"
	// ReasonRootRefused: the person signed in as the account's root user.
	ReasonRootRefused = "RootRefused"
	// ReasonPrincipalNotAllowed: the operator's --allowed-accounts or
	// --allowed-principals refuses who is signed in, or it is not known who that is.
	ReasonPrincipalNotAllowed = "PrincipalNotAllowed"
	// ReasonSessionEndingSoon: the session ends within --session-end-warning.
	ReasonSessionEndingSoon = "SessionEndingSoon"
	// ReasonWriteBackImpossible: the rotated login cache could not be written
	// back, so nothing is refreshed.
	ReasonWriteBackImpossible = "WriteBackImpossible"
	// ReasonWriteBackPending: the login cache was rotated but is not written back yet.
	ReasonWriteBackPending = "WriteBackPending"
	// ReasonSignInRegionConflict: LoginSessions that share a login cache name
	// different sign-in regions.
	ReasonSignInRegionConflict = "SignInRegionConflict"
)

// Reasons of events alone. They tell of no condition: nothing is wrong with the
// LoginSession. Only with --nudge-pods.
const (
	// ReasonPodsNudged: pods that mount the target were told of new credentials.
	ReasonPodsNudged = "PodsNudged"
	// ReasonNudgeFailed: some of them were not, and see them later; or events about
	// the session's end could not be written for them.
	ReasonNudgeFailed = "NudgeFailed"
)

// Labels and annotations.
const (
	// RefreshRequestedAtAnnotation on a LoginSession: any new value asks for
	// exactly one refresh.
	RefreshRequestedAtAnnotation = "awslogin.dev/refresh-requested-at"
	// CredentialsLifetimeAnnotation on the login cache's Secret, written by the
	// write-back: "<access key ID>:<seconds>", the life that AWS gave the
	// credentials with that access key ID.
	CredentialsLifetimeAnnotation = "awslogin.dev/credentials-lifetime"
	// AssumedRoleAnnotation on target Secrets: a digest of the role session's
	// credentials and of what they were asked for, by which a restarted operator
	// knows that they are in place.
	AssumedRoleAnnotation = "awslogin.dev/assumed-role"
	// NudgedAtAnnotation on pods, with --nudge-pods: when they were told of new
	// credentials (RFC 3339). A kubelet looks at a pod at once that changes.
	NudgedAtAnnotation = "awslogin.dev/nudged-at"
	// ManagedByLabel on all that the operator creates, with the value ManagedBy: target
	// Secrets and its lease.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of ManagedByLabel.
	ManagedBy = "awslogin.dev"
	// LoginSessionLabel on target Secrets: the name of the LoginSession.
	LoginSessionLabel = "awslogin.dev/login-session"
)

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TargetFormat names one way of handing credentials to an AWS SDK; it decides
// which keys the target Secret has.
// +kubebuilder:validation:Enum=CredentialProcess;LoginCache;Environment;SharedCredentials
type TargetFormat string

const (
	// CredentialProcess writes `config` and `credentials.json`: an AWS config
	// whose credential_process is `cat`. For images that have `cat`.
	CredentialProcess TargetFormat = "CredentialProcess"
	// LoginCache writes `login-config` and a login cache named by the SHA-256 of
	// its login_session, with the real access token, a dummy refresh token and a
	// throwaway DPoP key. For recent SDKs; needs neither `cat` nor a shell.
	LoginCache TargetFormat = "LoginCache"
	// Environment writes one key per AWS_* variable. Environment variables of a
	// running container never change: for jobs shorter than the time left.
	Environment TargetFormat = "Environment"
	// SharedCredentials writes a static `credentials` file, which SDKs read once.
	SharedCredentials TargetFormat = "SharedCredentials"
)

// DeletionPolicy says what becomes of the target Secret when its LoginSession
// is deleted.
// +kubebuilder:validation:Enum=Delete;Retain
type DeletionPolicy string

const (
	// DeletionPolicyDelete makes the LoginSession own the target Secret, so that
	// Kubernetes deletes both together.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyRetain leaves the target Secret behind.
	DeletionPolicyRetain DeletionPolicy = "Retain"
)

// LoginCacheSecretRef points to the login cache: the file that `aws login` wrote.
type LoginCacheSecretRef struct {
	// name of the Secret with the login cache, in the LoginSession's own
	// namespace. The Secret is of type Opaque. The operator writes the rotated
	// login cache back to it, so it must not be immutable.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret in the LoginSession's own namespace: lower-case letters, digits, '-' and '.'"
	Name string `json:"name"`

	// key of the login cache within the Secret, for example login.json. By default
	// the only key that ends in ".json".
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]*$')",message="must be a key of a Secret: letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}

// Target describes the Secret that the operator publishes credentials in.
type Target struct {
	// secretName is the name of the Secret that pods mount. The operator creates
	// it. By default the LoginSession's own name. It cannot be the Secret of a
	// login cache.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret: lower-case letters, digits, '-' and '.'"
	SecretName string `json:"secretName,omitempty"`

	// mountPath is the folder where pods mount the target Secret. The file config
	// names credentials.json by it. An absolute path of up to 200 characters, by
	// default /var/run/secrets/awslogin.dev.
	// +optional
	// +kubebuilder:default="/var/run/secrets/awslogin.dev"
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[A-Za-z0-9._-]+)+$') && !self.split('/').exists(part, part == '.' || part == '..')",message="must be an absolute path of letters, digits, '.', '_' and '-', without a trailing '/' and without '.' or '..' parts"
	MountPath string `json:"mountPath,omitempty"`

	// formats are the ways in which the target Secret hands credentials to AWS
	// SDKs. Each writes keys of its own. 1 to 4 of them, by default
	// CredentialProcess and LoginCache.
	//
	// CredentialProcess (config, credentials.json) is for every SDK, in images
	// that have cat. LoginCache (login-config, <64 hexadecimal digits>.json) is
	// for SDKs that know aws login, in any image. Environment (AWS_ACCESS_KEY_ID
	// and so on) and SharedCredentials (credentials) are for programs that end
	// before the credentials expire.
	// +optional
	// +listType=set
	// +kubebuilder:default={CredentialProcess,LoginCache}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Formats []TargetFormat `json:"formats,omitempty"`

	// deletionPolicy says what becomes of the target Secret when the LoginSession
	// is deleted. Delete: it is deleted too. Retain: it stays, with its last
	// credentials. By default Delete.
	// +optional
	// +kubebuilder:default=Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// template adds labels, annotations and files of your own to the target
	// Secret. By default there are none.
	// +optional
	Template *TargetTemplate `json:"template,omitempty"`
}

// LoginSessionSpec is what a person asks for.
type LoginSessionSpec struct {
	// loginCacheSecretRef names the Secret that holds the login cache: the file
	// that aws login wrote. Several LoginSessions may name the same one: one
	// refresh then serves them all.
	LoginCacheSecretRef LoginCacheSecretRef `json:"loginCacheSecretRef"`

	// signInRegion is the region whose AWS Sign-In refreshes the session: the one
	// of aws login, for example us-east-1. By default the login cache's
	// signInRegion, else spec.region, else the operator's --sign-in-region. The
	// AWS CLI does not always say in the login cache which it was, so name it
	// where it is not spec.region.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9-]{1,40}$')",message="must be the name of an AWS region, for example us-east-1"
	SignInRegion string `json:"signInRegion,omitempty"`

	// region is the region that workloads use, for example eu-central-1. It is
	// written into their AWS configuration; by default none is.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9-]{1,40}$')",message="must be the name of an AWS region, for example us-east-1"
	Region string `json:"region,omitempty"`

	// refreshBefore is how much life the credentials have left when they are
	// refreshed. A duration from 6m to 10m, by default 10m. Credentials that live
	// less than 15 minutes are refreshed when two thirds of their life are left,
	// if that is later. Credentials of a role that live longer are replaced with a
	// third of their life left, 20 minutes at most.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}([.][0-9]{1,6})?(s|m|h))+$') && duration(self) >= duration('6m') && duration(self) <= duration('10m')",message="must be a duration from 6m to 10m: AWS SDKs refresh at 5m, and credentials live 15m"
	RefreshBefore *metav1.Duration `json:"refreshBefore,omitempty"`

	// assumeRole has workloads get the credentials of a role. What they may do is
	// what the role may, and nothing else that the person may. By default they get
	// the person's own credentials.
	// +optional
	AssumeRole *AssumeRole `json:"assumeRole,omitempty"`

	// suspend stops refreshing. What is in the login cache is still published. By
	// default false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// target describes the Secret that pods mount. By default it has the
	// LoginSession's name, and all else has the default of its field.
	// +optional
	// +kubebuilder:default={}
	Target Target `json:"target,omitempty"`
}

// Identity is who is signed in.
type Identity struct {
	// accountID is the AWS account: 12 digits, for example "111122223333".
	// +optional
	AccountID string `json:"accountID,omitempty"`
	// arn of the principal who signed in, for example
	// arn:aws:sts::111122223333:assumed-role/Developer/alice. From the login
	// cache's idToken, confirmed by AWS STS where it can be reached.
	// +optional
	ARN string `json:"arn,omitempty"`
}

// Session describes the login session: what `aws login` started and only
// another `aws login` can start again.
type Session struct {
	// fingerprint identifies the refresh token and the DPoP key in the login
	// cache, and reveals neither. It changes with every refresh and login.
	// +optional
	Fingerprint string `json:"fingerprint,omitempty"`
	// startedAt is when the person signed in, for example 2026-11-22T08:15:00Z:
	// the idToken's iat. Without an idToken it is not known.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// estimatedEndAt is 12 hours after startedAt: an upper bound, not a promise.
	// AWS ends a session earlier when the principal's session duration is shorter,
	// and publishes no exact time.
	// +optional
	EstimatedEndAt *metav1.Time `json:"estimatedEndAt,omitempty"`
}

// Credentials describes the credentials that the target Secret holds.
type Credentials struct {
	// accessKeyID of the published credentials. It is no secret.
	// +optional
	AccessKeyID string `json:"accessKeyID,omitempty"`
	// expiresAt is when the published credentials expire, for example
	// 2026-11-22T12:15:00Z.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	// refreshedAt is when AWS issued the published credentials, for example
	// 2026-11-22T12:00:00Z.
	// +optional
	RefreshedAt *metav1.Time `json:"refreshedAt,omitempty"`
}

// Refresh is the record of attempts to refresh the session.
type Refresh struct {
	// failures is the number of failed attempts since the last success or login.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// lastFailureAt is when the last attempt failed, for example
	// 2026-11-22T12:05:00Z. After a success it is gone.
	// +optional
	LastFailureAt *metav1.Time `json:"lastFailureAt,omitempty"`
	// lastHandledRequestAt is the refresh request that was last acted on. It is the
	// value of the annotation awslogin.dev/refresh-requested-at, cut to 256
	// characters.
	// +optional
	LastHandledRequestAt string `json:"lastHandledRequestAt,omitempty"`
}

// LoginSessionStatus is what the operator knows.
type LoginSessionStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions say how the LoginSession is. Ready, SessionActive and
	// CredentialsValid are always there, and SessionEndingSoon, Reconciling and
	// Stalled while they are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// identity is who signed in.
	// +optional
	Identity *Identity `json:"identity,omitempty"`
	// session is the login session: what aws login started, and only another aws
	// login can start again.
	// +optional
	Session *Session `json:"session,omitempty"`
	// credentials are those that the target Secret holds: the person's own, or
	// with spec.assumeRole the role's.
	// +optional
	Credentials *Credentials `json:"credentials,omitempty"`
	// assumedRole is the role session that the published credentials are of. Only
	// with spec.assumeRole.
	// +optional
	AssumedRole *AssumedRole `json:"assumedRole,omitempty"`
	// nextRefreshAt is when the operator will next refresh the session, for
	// example 2026-11-22T12:04:40Z. It is not there where none is planned: when
	// suspended, or when a person has to act first.
	// +optional
	NextRefreshAt *metav1.Time `json:"nextRefreshAt,omitempty"`
	// refresh is the record of attempts to refresh the session.
	// +optional
	Refresh *Refresh `json:"refresh,omitempty"`
}

// The times among the print columns below lie in the future, so they are printed
// as text: kubectl prints a future time of type date as "<invalid>".

// LoginSession keeps pods supplied with working AWS credentials from a person's
// aws login. It names the Secret with the login cache, and describes the
// Secret that pods mount.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=awslogin
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.status.identity.accountID`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.credentials.expiresAt`
// +kubebuilder:printcolumn:name="Next-Refresh",type=string,JSONPath=`.status.nextRefreshAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name must be at most 63 characters: it becomes a label value"
// +kubebuilder:validation:XValidation:rule="(has(self.spec.target) && has(self.spec.target.secretName) ? self.spec.target.secretName : self.metadata.name) != self.spec.loginCacheSecretRef.name",message="the target Secret (spec.target.secretName, by default metadata.name) must not be the login cache's own Secret: set spec.target.secretName to another name"
type LoginSession struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what you ask for.
	Spec LoginSessionSpec `json:"spec"`
	// status is what the operator knows. It writes it; nobody else does.
	// +optional
	Status LoginSessionStatus `json:"status,omitempty"`
}

// TargetSecretName is the name of the Secret that pods mount.
func (s *LoginSession) TargetSecretName() string {
	if s.Spec.Target.SecretName != "" {
		return s.Spec.Target.SecretName
	}
	return s.Name
}

// LoginSessionList is a list of LoginSessions.
// +kubebuilder:object:root=true
type LoginSessionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []LoginSession `json:"items"`
}

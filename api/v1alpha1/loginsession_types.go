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
	// LoginCache writes `login-config` and `<sha256 of login_session>.json`: a
	// login cache with the real access token, a dummy refresh token and a
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
	// Name of the Secret, in the LoginSession's own namespace, that holds the
	// file which `aws login` wrote. The operator reads it and writes the rotated
	// login cache back to it.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret in the LoginSession's own namespace: lower-case letters, digits, '-' and '.'"
	Name string `json:"name"`

	// Key of the login cache within the Secret. By default the only key that
	// ends in ".json".
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]*$')",message="must be a key of a Secret: letters, digits, '-', '_' and '.'"
	Key string `json:"key,omitempty"`
}

// Target describes the Secret that the operator publishes credentials in.
type Target struct {
	// SecretName of the Secret that pods mount; created by the operator. By
	// default the LoginSession's own name. It is never the login cache's Secret.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",message="must be the name of a Secret: lower-case letters, digits, '-' and '.'"
	SecretName string `json:"secretName,omitempty"`

	// MountPath is where pods mount the target Secret. The generated files name
	// each other by it.
	// +optional
	// +kubebuilder:default="/var/run/secrets/awslogin.dev"
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:XValidation:rule="self.matches('^(/[A-Za-z0-9._-]+)+$') && !self.split('/').exists(part, part == '.' || part == '..')",message="must be an absolute path of letters, digits, '.', '_' and '-', without a trailing '/' and without '.' or '..' parts"
	MountPath string `json:"mountPath,omitempty"`

	// Formats to write. See the documentation for which SDK reads which.
	// +optional
	// +listType=set
	// +kubebuilder:default={CredentialProcess,LoginCache}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	Formats []TargetFormat `json:"formats,omitempty"`

	// DeletionPolicy says whether the target Secret goes with the LoginSession
	// (Delete) or stays (Retain).
	// +optional
	// +kubebuilder:default=Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// Template adds labels, annotations and files of your own.
	// +optional
	Template *TargetTemplate `json:"template,omitempty"`
}

// LoginSessionSpec is what a person asks for.
type LoginSessionSpec struct {
	// LoginCacheSecretRef names the Secret that holds the login cache. Several
	// LoginSessions may name the same one: one refresh then serves them all.
	LoginCacheSecretRef LoginCacheSecretRef `json:"loginCacheSecretRef"`

	// SignInRegion is the region whose AWS Sign-In endpoint refreshes the
	// session: the one in which the person signed in. By default the login
	// cache's signInRegion, then spec.region, then the operator's
	// --sign-in-region.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9-]{1,40}$')",message="must be the name of an AWS region, for example us-east-1"
	SignInRegion string `json:"signInRegion,omitempty"`

	// Region is written as the region into the AWS configuration that workloads
	// read.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9-]{1,40}$')",message="must be the name of an AWS region, for example us-east-1"
	Region string `json:"region,omitempty"`

	// RefreshBefore is how much life the credentials still have when they are
	// refreshed, from 6m to 10m. Credentials that live less than 15 minutes are
	// refreshed when two thirds of their life are left, if that is later.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}([.][0-9]{1,6})?(s|m|h))+$') && duration(self) >= duration('6m') && duration(self) <= duration('10m')",message="must be a duration from 6m to 10m: AWS SDKs refresh at 5m, and credentials live 15m"
	RefreshBefore *metav1.Duration `json:"refreshBefore,omitempty"`

	// AssumeRole has workloads get the credentials of a role instead of the
	// person's own: what they may do is the role's, they cannot do what else the
	// person may, and the credentials live up to an hour.
	// +optional
	AssumeRole *AssumeRole `json:"assumeRole,omitempty"`

	// Suspend stops refreshing. What is in the login cache is still published.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// Target describes the Secret that pods mount.
	// +optional
	// +kubebuilder:default={}
	Target Target `json:"target,omitempty"`
}

// Identity is who is signed in.
type Identity struct {
	// AccountID is the AWS account.
	// +optional
	AccountID string `json:"accountID,omitempty"`
	// ARN of the principal, from the login's idToken, confirmed by STS where it
	// can be reached.
	// +optional
	ARN string `json:"arn,omitempty"`
}

// Session describes the login session: what `aws login` started and only
// another `aws login` can start again.
type Session struct {
	// Fingerprint identifies the refresh token and DPoP key now in the login
	// cache, without revealing either. It changes with every refresh and login.
	// +optional
	Fingerprint string `json:"fingerprint,omitempty"`
	// StartedAt is when the person signed in: the idToken's iat.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`
	// EstimatedEndAt is startedAt plus 12 hours: an upper bound, not a promise.
	// AWS ends a session earlier when the principal's session duration is
	// shorter, and publishes no exact time.
	// +optional
	EstimatedEndAt *metav1.Time `json:"estimatedEndAt,omitempty"`
}

// Credentials describes the credentials that the target Secret holds.
type Credentials struct {
	// AccessKeyID of the published credentials. It is no secret.
	// +optional
	AccessKeyID string `json:"accessKeyID,omitempty"`
	// ExpiresAt is when the published credentials expire.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	// RefreshedAt is when AWS issued the published credentials.
	// +optional
	RefreshedAt *metav1.Time `json:"refreshedAt,omitempty"`
}

// Refresh is the record of attempts to refresh the session.
type Refresh struct {
	// Failures is the number of failed attempts since the last success.
	// +optional
	Failures int32 `json:"failures,omitempty"`
	// LastFailureAt is when the last attempt failed.
	// +optional
	LastFailureAt *metav1.Time `json:"lastFailureAt,omitempty"`
	// LastHandledRequestAt is the value of the annotation
	// awslogin.dev/refresh-requested-at that was last acted on.
	// +optional
	LastHandledRequestAt string `json:"lastHandledRequestAt,omitempty"`
}

// LoginSessionStatus is what the operator knows.
type LoginSessionStatus struct {
	// ObservedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions are Ready, SessionActive and CredentialsValid, and
	// SessionEndingSoon, Reconciling or Stalled while they are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// +optional
	Identity *Identity `json:"identity,omitempty"`
	// +optional
	Session *Session `json:"session,omitempty"`
	// +optional
	Credentials *Credentials `json:"credentials,omitempty"`
	// AssumedRole is the role session of spec.assumeRole that the published
	// credentials are of.
	// +optional
	AssumedRole *AssumedRole `json:"assumedRole,omitempty"`
	// NextRefreshAt is when the operator will next refresh the login session.
	// +optional
	NextRefreshAt *metav1.Time `json:"nextRefreshAt,omitempty"`
	// +optional
	Refresh *Refresh `json:"refresh,omitempty"`
}

// LoginSession keeps pods supplied with working AWS credentials from a person's
// `aws login` session.
//
// The times among the print columns lie in the future, so they are printed as
// text: kubectl prints a future time of type date as "<invalid>".
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

	Spec   LoginSessionSpec   `json:"spec"`
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

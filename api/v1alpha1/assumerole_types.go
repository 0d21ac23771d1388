package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AssumeRole is the role whose credentials workloads get instead of the person's
// own (AWS STS API, AssumeRole, from which the limits are too).
type AssumeRole struct {
	// roleARN is the role to assume, for example
	// arn:aws:iam::111122223333:role/deploy. Its trust policy must allow the
	// person sts:AssumeRole and sts:SetSourceIdentity, and with tags
	// sts:TagSession.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+$')",message="must be the ARN of a role, for example arn:aws:iam::111122223333:role/deploy"
	RoleARN string `json:"roleARN"`

	// sessionName names the role session. CloudTrail shows it as the last part of
	// the caller's ARN. 2 to 64 characters, by default <namespace>.<name>, cut to
	// 64.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_+=,.@-]{2,64}$')",message="must be 2 to 64 letters, digits and characters of _+=,.@-"
	SessionName string `json:"sessionName,omitempty"`

	// durationSeconds is how long the role's credentials live, in seconds. From
	// 900 to 3600, by default 3600. AWS allows no more than an hour for a role
	// that is assumed with a role's credentials, and no more than the role's own
	// maximum.
	// +optional
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=900
	// +kubebuilder:validation:Maximum=3600
	DurationSeconds int32 `json:"durationSeconds,omitempty"`

	// externalID is what the role's trust policy asks for as sts:ExternalId, for
	// example "4711". It is no secret. 2 to 1224 characters, by default none.
	// +optional
	// +kubebuilder:validation:MaxLength=1224
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_+=,.@:/-]{2,}$')",message="must be 2 to 1224 letters, digits and characters of _+=,.@:/-"
	ExternalID string `json:"externalID,omitempty"`

	// policy is an IAM policy in JSON that the role's credentials are limited to.
	// Up to 2048 characters, by default none.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^[\\\\s]*[{]')",message="must be an IAM policy in JSON"
	Policy string `json:"policy,omitempty"`

	// policyARNs are managed policies that the role's credentials are limited to,
	// for example arn:aws:iam::aws:policy/ReadOnlyAccess. Up to 10, by default
	// none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	PolicyARNs []PolicyARN `json:"policyARNs,omitempty"`

	// tags are session tags, for example team: data. Up to 50, with keys of up to
	// 128 characters that do not begin with aws:. By default none.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	// +kubebuilder:validation:XValidation:rule="self.all(key, size(key) >= 1 && size(key) <= 128 && !key.lowerAscii().startsWith('aws:'))",message="the key of a tag must have 1 to 128 characters and not begin with aws:"
	Tags map[string]TagValue `json:"tags,omitempty"`

	// sourceIdentity is whom CloudTrail names as the person behind the role, in
	// every event. 2 to 64 characters. By default the name of who signed in: the
	// last part of their ARN. "" sets none, for roles whose trust policy does not
	// allow sts:SetSourceIdentity.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9_+=,.@-]{2,64})?$') && !self.lowerAscii().startsWith('aws:')",message="must be 2 to 64 letters, digits and characters of _+=,.@-, or \"\" for none"
	SourceIdentity *string `json:"sourceIdentity,omitempty"`
}

// PolicyARN is the ARN of a managed policy.
// +kubebuilder:validation:MaxLength=2048
// +kubebuilder:validation:XValidation:rule="self.matches('^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[!-~]+$')",message="must be the ARN of a managed policy, for example arn:aws:iam::aws:policy/ReadOnlyAccess"
type PolicyARN string

// TagValue is the value of a session tag: up to 256 characters.
// +kubebuilder:validation:MaxLength=256
type TagValue string

// AssumedRole describes the role session whose credentials are published.
type AssumedRole struct {
	// arn of the role session, which AWS names as the caller of what workloads do.
	// For example arn:aws:sts::111122223333:assumed-role/deploy/data.dev.
	// +optional
	ARN string `json:"arn,omitempty"`
	// sourceIdentity is whom CloudTrail names as the person behind it, for example
	// alice.
	// +optional
	SourceIdentity string `json:"sourceIdentity,omitempty"`
	// nextAssumeAt is when the operator will next assume the role, for example
	// 2026-11-22T12:40:00Z. It is not there where that is not planned.
	// +optional
	NextAssumeAt *metav1.Time `json:"nextAssumeAt,omitempty"`
}

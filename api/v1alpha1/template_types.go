package v1alpha1

// TargetTemplate adds to the target Secret what no format writes.
type TargetTemplate struct {
	// labels of the target Secret, beside the operator's own. Up to 16, by default
	// none. One that is removed here is removed from the Secret.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(key, size(key) <= 253 && key.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="the key of a label must be at most 63 letters, digits, '-', '_' and '.', with or without a domain and a '/' before them"
	// +kubebuilder:validation:XValidation:rule="self.all(key, !key.startsWith('awslogin.dev/') && !(key in ['app.kubernetes.io/managed-by', 'reloader.stakater.com/ignore', 'kubectl.kubernetes.io/last-applied-configuration']))",message="awslogin.dev/*, app.kubernetes.io/managed-by, reloader.stakater.com/ignore and kubectl.kubernetes.io/last-applied-configuration are not yours to set: remove them"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations of the target Secret, beside the operator's own. Up to 16, by
	// default none. One that is removed here is removed from the Secret.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(key, size(key) <= 253 && key.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="the key of an annotation must be at most 63 letters, digits, '-', '_' and '.', with or without a domain and a '/' before them"
	// +kubebuilder:validation:XValidation:rule="self.all(key, !key.startsWith('awslogin.dev/') && !(key in ['app.kubernetes.io/managed-by', 'reloader.stakater.com/ignore', 'kubectl.kubernetes.io/last-applied-configuration']))",message="awslogin.dev/*, app.kubernetes.io/managed-by, reloader.stakater.com/ignore and kubectl.kubernetes.io/last-applied-configuration are not yours to set: remove them"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// data are files of your own, by their key in the target Secret, for example
	// .netrc. Up to 16, by default none. A key has a '.' or a '-': one that has
	// neither would set an environment variable in pods that take all keys for
	// variables (envFrom). A file has at most 32 KiB.
	//
	// Their text is in the syntax of Go templates, of which there are {{.Field}},
	// {{function .Field}}, which is the same as {{.Field | function}}, {{"a
	// string"}} in place of .Field, {{if .Field}} for a field that is not empty,
	// {{else}}, {{else if .Field}}, {{end}}, comments, and "-" for trimming.
	//
	// Fields: AccessKeyID, SecretAccessKey, SessionToken, AccountID, Region (that
	// of the spec), Expiration (for example 2026-11-22T12:15:00Z), ExpirationUnix
	// (in seconds), MountPath.
	//
	// Functions: base64, json (a string in quotation marks), shell (a word in
	// quotation marks), urlquery, xml.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(key, key != '.' && !key.startsWith('..') && key.matches('^[-._a-zA-Z0-9]{1,253}$'))",message="the key of a file must be a key of a Secret: at most 253 letters, digits, '-', '_' and '.', without '..' at its beginning"
	// +kubebuilder:validation:XValidation:rule="self.all(key, key.matches('[.-]'))",message="the key of a file must have a '.' or a '-', for example .netrc: without either it would set an environment variable in pods that use envFrom"
	// +kubebuilder:validation:XValidation:rule="self.all(key, !(key in ['credentials.json', 'login-config']) && !key.matches('^[0-9a-f]{64}[.]json$'))",message="credentials.json, login-config and <64 hexadecimal digits>.json are files of spec.target.formats: choose another key"
	Data map[string]TemplateText `json:"data,omitempty"`
}

// LabelValue is the value of a label: up to 63 letters, digits, '-', '_' and '.'.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$')",message="must be letters, digits, '-', '_' and '.', with a letter or digit at either end"
type LabelValue string

// AnnotationValue is the value of an annotation: up to 2048 characters.
// +kubebuilder:validation:MaxLength=2048
type AnnotationValue string

// TemplateText is a text in the syntax of Go templates: up to 8192 characters.
// +kubebuilder:validation:MaxLength=8192
type TemplateText string

package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

// A role's credentials cannot be made again from the login cache, as the login's own
// can. So that a restarted operator need not assume every role anew, the target
// carries a digest of all that they come from and of what it holds: where that is
// right nothing has changed, and where it is not the role is assumed again, which
// costs nothing that could be lost.

// roleBasis identifies the login and what is asked of the role.
func roleBasis(a *attempt) string {
	return digest(a.login.KeyThumbprint(), a.session.Spec.AssumeRole, roleSessionName(a.session), sourceIdentityOf(a))
}

// seal marks a target that is about to hold a role's credentials, and no other.
func (a *attempt) seal(target *corev1.Secret, published *published) {
	delete(target.Annotations, v1alpha1.AssumedRoleAnnotation)
	if a.session.Spec.AssumeRole != nil {
		target.Annotations[v1alpha1.AssumedRoleAnnotation] = a.sealOf(target, published)
	}
}

// hasSealedRole says whether the target holds, unchanged, credentials of the role as
// it is asked for now.
func (a *attempt) hasSealedRole() bool {
	return a.target != nil && a.published != nil && a.target.Annotations[v1alpha1.AssumedRoleAnnotation] == a.sealOf(a.target, a.published)
}

func (a *attempt) sealOf(target *corev1.Secret, published *published) string {
	return digest(roleBasis(a), a.session.Spec.Target, a.session.Spec.Region, published.accessKeyID, published.expiresAt.Unix(), contentsOf(target.Data))
}

// digest of parts, which it keeps apart.
func digest(parts ...any) string {
	text, _ := json.Marshal(parts) // strings, bytes, numbers and types of the API always encode
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

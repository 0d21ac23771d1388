package controllers

import (
	"fmt"

	"awslogin.dev/operator/api/v1alpha1"
)

// refusePrincipal refuses the session of somebody whose sessions may not be used:
// nothing is refreshed or published then. Whom nobody knows a guard refuses too.
func (r *LoginSessionReconciler) refusePrincipal(a *attempt) *trouble {
	if a.identity.IsRoot() && !r.AllowRoot {
		return rootRefused(a)
	}
	flag := r.Guard.Refuses(a.identity.ARN)
	switch {
	case flag == "":
		a.memory.unidentified = nil
		return nil
	case a.identity.ARN == "":
		return principalUnknown(a, flag)
	}
	return principalNotAllowed(a, flag)
}

func rootRefused(a *attempt) *trouble {
	return &trouble{v1alpha1.ReasonRootRefused, fmt.Sprintf(
		"The login session is of the root user of account %s: run `aws login` as an IAM or federated user, or start the operator with --allow-root.", a.identity.AccountID)}
}

func principalNotAllowed(a *attempt, flag string) *trouble {
	return &trouble{v1alpha1.ReasonPrincipalNotAllowed, fmt.Sprintf(
		"The login session is of %s, which the operator's %s does not allow: sign in as somebody else, or have the flag changed.", a.identity.ARN, flag)}
}

// principalUnknown asks AWS STS again for as long as the credentials are good for a
// question. To get others would spend the refresh token of nobody knows whom.
func principalUnknown(a *attempt, flag string) *trouble {
	const unknown = "It is not known whose login session this is, and the operator's %s does not allow everybody's: the login cache has no idToken, and "
	if !a.now.Before(a.login.Credentials.ExpiresAt) {
		return &trouble{v1alpha1.ReasonPrincipalNotAllowed, fmt.Sprintf(unknown+"AWS STS cannot be asked with credentials that have expired. %s", flag, loginAgain(a))}
	}
	a.wakeBy(again(a, &a.memory.unidentified))
	return &trouble{v1alpha1.ReasonPrincipalNotAllowed, fmt.Sprintf(unknown+"AWS STS in region %s does not say. The operator keeps asking.", flag, a.region)}
}

package doctor

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

// sessionsWork tells what the operator says is wrong, and what it would say if the
// status were newer.
func sessionsWork(e *examination) []Finding {
	var findings []Finding
	for i := range e.sessions {
		session := &e.sessions[i]
		object := "loginsession/" + session.Name
		trouble := troubleOf(session)
		switch {
		case trouble != nil:
			findings = append(findings, e.explain(session, trouble))
		case session.Status.Credentials != nil && e.expired(session.Status.Credentials.ExpiresAt):
			findings = append(findings, one(object, e.revive(session), "its credentials expired %s ago", e.ago(session.Status.Credentials.ExpiresAt.Time))...)
		case session.Spec.Suspend && session.Status.Credentials == nil:
			findings = append(findings, one(object, e.revive(session), "it is suspended, and Secret %s has no credentials", session.TargetSecretName())...)
		case overdue(session, e.now) && !session.Spec.Suspend:
			findings = append(findings, one(object, e.operatorRemedy(), "its credentials should have been replaced by now")...)
		}
	}
	return findings
}

// troubleOf is what the operator says is wrong, nil where it says nothing.
func troubleOf(session *v1alpha1.LoginSession) *metav1.Condition {
	for _, kind := range []string{v1alpha1.StalledCondition, v1alpha1.ReconcilingCondition} {
		if found := meta.FindStatusCondition(session.Status.Conditions, kind); found != nil {
			return found
		}
	}
	ready := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ReadyCondition)
	if session.Spec.Suspend || ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason == v1alpha1.ReasonCredentialsExpired {
		return nil
	}
	return ready
}

// revive is how a LoginSession gets credentials again of which nothing says why it has
// none.
func (e *examination) revive(session *v1alpha1.LoginSession) string {
	if session.Spec.Suspend {
		return fmt.Sprintf("it is suspended, go on with `kubectl awslogin resume %s -n %s`", session.Name, e.Namespace)
	}
	return e.operatorRemedy()
}

// overdue credentials have less life left than an operator that works ever leaves.
func overdue(session *v1alpha1.LoginSession, now time.Time) bool {
	credentials := session.Status.Credentials
	if credentials == nil || credentials.ExpiresAt == nil || credentials.RefreshedAt == nil {
		return false
	}
	life := credentials.ExpiresAt.Sub(credentials.RefreshedAt.Time)
	return credentials.ExpiresAt.Sub(now) < min(5*time.Minute, life/3)
}

// advice is where a message of the operator turns from what is wrong to what to do.
var advice = regexp.MustCompile(`( \(spec[^)]*\))?(\. |: )((Sign in again|Either|It must hold|The operator keeps|Make them equal|Correct|Let|Shorten|Activate|Choose another format|` +
	"allow |raise |run `aws login`|sign in as |delete it|set spec).*)$")

// remedies for where the operator's advice is to wait, or is longer than a command.
var remedies = map[string]func(e *examination, name string) string{
	v1alpha1.ReasonReloginRequired:    (*examination).login,
	v1alpha1.ReasonLoginCacheNotFound: (*examination).login,
	v1alpha1.ReasonLoginCacheInvalid:  (*examination).login,
	v1alpha1.ReasonPrincipalNotAllowed: func(e *examination, name string) string {
		return e.login(name) + " as somebody else, or have the operator's flag changed"
	},
	v1alpha1.ReasonRefreshRejected: func(e *examination, name string) string {
		return "compare spec.signInRegion with the region of the sign-in, else " + e.login(name)
	},
	v1alpha1.ReasonRefreshFailing:   func(*examination, string) string { return "see whether the operator reaches AWS Sign-In" },
	v1alpha1.ReasonRoleFailing:      func(*examination, string) string { return "see whether the operator reaches AWS STS" },
	v1alpha1.ReasonSecretUnreadable: func(*examination, string) string { return "have the operator's rights to Secrets checked" },
	v1alpha1.ReasonPublishFailed:    func(*examination, string) string { return "mend what the API server says" },
	v1alpha1.ReasonWriteBackPending: func(*examination, string) string {
		return "mend what the API server says, and leave the operator running"
	},
}

// explain tells a condition in one line.
func (e *examination) explain(session *v1alpha1.LoginSession, trouble *metav1.Condition) Finding {
	problem, remedy := strings.TrimSuffix(trouble.Message, " The operator keeps trying."), ""
	if found := advice.FindStringSubmatchIndex(problem); found != nil {
		problem, remedy = problem[:found[0]], problem[found[6]:]
	}
	if known := remedies[trouble.Reason]; known != nil {
		remedy = known(e, session.Name)
	}
	remedy = cmp.Or(remedy, fmt.Sprintf("see `kubectl describe loginsession %s -n %s`", session.Name, e.Namespace))
	return Finding{Object: "loginsession/" + session.Name, Problem: trouble.Reason + ", " + decapitalized(problem), Remedy: strings.TrimSuffix(decapitalized(remedy), ".")}
}

// decapitalized leaves names and abbreviations as they are.
func decapitalized(text string) string {
	word, _, _ := strings.Cut(text, " ")
	if slices.Contains([]string{"Secret", "LoginSession", "AWS", "IAM"}, word) {
		return strings.TrimSuffix(text, ".")
	}
	return strings.TrimSuffix(strings.ToLower(text[:min(1, len(text))])+text[min(1, len(text)):], ".")
}

// sessionsGoOn warns of an end that is near.
func sessionsGoOn(e *examination) []Finding {
	var findings []Finding
	for _, session := range e.sessions {
		known := session.Status.Session != nil && session.Status.Session.EstimatedEndAt != nil
		if known && meta.IsStatusConditionTrue(session.Status.Conditions, v1alpha1.SessionEndingSoonCondition) {
			findings = append(findings, one("loginsession/"+session.Name, e.login(session.Name)+" before", "the login session ends in %s at the latest",
				session.Status.Session.EstimatedEndAt.Sub(e.now).Round(time.Second))...)
		}
	}
	return findings
}

// says tells whether the operator has said so already.
func says(session *v1alpha1.LoginSession, reasons ...string) bool {
	trouble := troubleOf(session)
	return trouble != nil && slices.Contains(reasons, trouble.Reason)
}

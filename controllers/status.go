package controllers

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

// summarize turns what an attempt found into the status of its LoginSession. It
// is pure: same attempt, same status.
func summarize(a *attempt, t *trouble) v1alpha1.LoginSessionStatus {
	status := *a.session.Status.DeepCopy()
	status.ObservedGeneration = a.session.Generation
	status.NextRefreshAt = timeOrNil(a.nextAt)
	summarizeFacts(a, &status)
	if a.session.Spec.Suspend {
		summarizeSuspended(a, &status)
		return status
	}
	overdue := a.overdue()
	set := func(condition metav1.Condition) { setCondition(a, &status.Conditions, condition) }
	set(sessionCondition(a, t, overdue))
	valid := credentialsCondition(a, t)
	set(valid)
	set(readyCondition(a, t, overdue, valid))
	summarizeProgress(a, &status, t)
	return status
}

// summarizeFacts fills in all but the conditions; what could not be read stays
// as it was.
func summarizeFacts(a *attempt, status *v1alpha1.LoginSessionStatus) {
	status.Credentials = nil
	if a.published != nil {
		status.Credentials = &v1alpha1.Credentials{
			AccessKeyID: a.published.accessKeyID,
			ExpiresAt:   timeOrNil(a.published.expiresAt),
			RefreshedAt: timeOrNil(a.published.expiresAt.Add(-a.published.lifetime)),
		}
	}
	if a.login == nil {
		return
	}
	status.AssumedRole = assumedRole(a)
	status.Session = &v1alpha1.Session{Fingerprint: a.login.Fingerprint(), StartedAt: timeOrNil(a.login.StartedAt)}
	if !a.login.StartedAt.IsZero() {
		status.Session.EstimatedEndAt = timeOrNil(a.login.StartedAt.Add(loginrefresh.SessionLimit))
	}
	if a.identity.AccountID != "" {
		status.Identity = &v1alpha1.Identity{AccountID: a.identity.AccountID, ARN: a.identity.ARN}
	}
	status.Refresh = refreshRecord(a)
}

// assumedRole keeps whose credentials are published where another process assumed
// the role.
func assumedRole(a *attempt) *v1alpha1.AssumedRole {
	if a.session.Spec.AssumeRole == nil {
		return nil
	}
	role := &v1alpha1.AssumedRole{}
	if known := a.session.Status.AssumedRole; known != nil {
		role.ARN, role.SourceIdentity = known.ARN, known.SourceIdentity
	}
	if session := a.memory.role.session; session != nil {
		role.ARN, role.SourceIdentity = session.ARN, sourceIdentityOf(a)
	}
	role.NextAssumeAt = timeOrNil(a.assumeAt)
	return role
}

func refreshRecord(a *attempt) *v1alpha1.Refresh {
	record := v1alpha1.Refresh{LastHandledRequestAt: cmp.Or(a.memory.handled, handledRequest(a.session))}
	if failure := a.state.failureOf(a.login.Fingerprint()); failure != nil {
		record.Failures = int32(min(failure.Count, 1<<30))
		record.LastFailureAt = timeOrNil(failure.At)
	}
	if record == (v1alpha1.Refresh{}) {
		return nil
	}
	return &record
}

// summarizeSuspended leaves the conditions as they were, but for the facts that
// publishing another LoginSession's refresh makes.
func summarizeSuspended(a *attempt, status *v1alpha1.LoginSessionStatus) {
	for _, kind := range []string{v1alpha1.ReadyCondition, v1alpha1.SessionActiveCondition, v1alpha1.CredentialsValidCondition} {
		if meta.FindStatusCondition(status.Conditions, kind) == nil {
			setCondition(a, &status.Conditions, notTried(kind))
		}
	}
	if a.published != nil && a.now.Before(a.published.expiresAt) {
		setCondition(a, &status.Conditions, credentialsCondition(a, nil))
	}
	meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ReconcilingCondition)
	meta.RemoveStatusCondition(&status.Conditions, v1alpha1.StalledCondition)
}

// overdue says whether workloads have, or will soon have, too little life left; with
// a role also whether the login does, without which it cannot be assumed again.
func (a *attempt) overdue() bool {
	if a.session.Spec.AssumeRole != nil && a.login != nil && !a.now.Before(a.schedule().OverdueAt()) {
		return true
	}
	return a.published == nil || !a.now.Before(a.published.schedule().OverdueAt())
}

func sessionCondition(a *attempt, t *trouble, overdue bool) metav1.Condition {
	well := metav1.Condition{Type: v1alpha1.SessionActiveCondition, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonSessionActive, Message: "The login session can be refreshed."}
	if t == nil {
		return well
	}
	effect := effects[t.reason]
	if effect.tolerated && !overdue {
		return well
	}
	if effect.session == "" {
		if known := meta.FindStatusCondition(a.session.Status.Conditions, v1alpha1.SessionActiveCondition); known != nil {
			return *known
		}
		return notTried(v1alpha1.SessionActiveCondition)
	}
	condition := metav1.Condition{Type: v1alpha1.SessionActiveCondition, Status: effect.session, Reason: t.reason, Message: t.message}
	if effect.sessionReason != "" {
		condition.Reason, condition.Message = effect.sessionReason, well.Message
	}
	return condition
}

func credentialsCondition(a *attempt, t *trouble) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.CredentialsValidCondition, Status: metav1.ConditionFalse}
	target := targetOf(a.session)
	switch {
	case t != nil && t.reason == v1alpha1.ReasonTargetConflict:
		condition.Reason, condition.Message = t.reason, t.message
	case a.published == nil:
		condition.Reason = v1alpha1.ReasonNeverPublished
		condition.Message = fmt.Sprintf("Secret %s holds no credentials yet.", target)
	case !a.now.Before(a.published.expiresAt):
		condition.Reason = v1alpha1.ReasonCredentialsExpired
		condition.Message = fmt.Sprintf("The credentials in Secret %s have expired.", target)
	default:
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonPublished
		condition.Message = fmt.Sprintf("Secret %s holds credentials that work now.", target)
	}
	return condition
}

func readyCondition(a *attempt, t *trouble, overdue bool, valid metav1.Condition) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionFalse}
	switch {
	case t != nil && effects[t.reason].unready:
		condition.Reason, condition.Message = t.reason, t.message
	case t != nil && overdue:
		condition.Reason = v1alpha1.ReasonRefreshOverdue
		condition.Message = "The credentials should have been replaced by now. " + t.message
	case valid.Status != metav1.ConditionTrue:
		condition.Reason, condition.Message = valid.Reason, valid.Message
	case a.untemplated != nil: // whatever else there is
		condition.Reason, condition.Message = a.untemplated.reason, a.untemplated.message
	default:
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonRefreshed
		condition.Message = fmt.Sprintf("Secret %s is kept supplied with credentials.%s", targetOf(a.session), a.note)
	}
	return condition
}

// summarizeProgress sets Reconciling or Stalled, of which kstatus wants none
// when all is well.
func summarizeProgress(a *attempt, status *v1alpha1.LoginSessionStatus, t *trouble) {
	current := ""
	if t != nil {
		current = effects[t.reason].kstatus
	}
	for _, kind := range []string{v1alpha1.ReconcilingCondition, v1alpha1.StalledCondition} {
		if kind != current {
			meta.RemoveStatusCondition(&status.Conditions, kind)
			continue
		}
		setCondition(a, &status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: t.reason, Message: t.message})
	}
}

func notTried(kind string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown,
		Reason: v1alpha1.ReasonNotTried, Message: "Nothing is known yet."}
}

func setCondition(a *attempt, conditions *[]metav1.Condition, condition metav1.Condition) {
	condition.ObservedGeneration = a.session.Generation
	condition.LastTransitionTime = metav1.NewTime(a.now.Truncate(time.Second)) // counts only if the status changes
	meta.SetStatusCondition(conditions, condition)
}

// timeOrNil rounds to what the API stores, so that a status read back is equal.
func timeOrNil(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC().Truncate(time.Second)}
}

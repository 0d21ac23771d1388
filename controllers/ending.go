package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

// mostPodsTold bounds the events that one transition writes about pods.
const mostPodsTold = 50

// pluginLogin is the command of the kubectl plugin that signs in again.
func pluginLogin(session *v1alpha1.LoginSession) string {
	return fmt.Sprintf("kubectl awslogin login %s -n %s", session.Name, session.Namespace)
}

// warnOfEnd says in time that the session will end, and asks to be woken for that. It
// is no trouble: nothing is wrong yet.
func (r *LoginSessionReconciler) warnOfEnd(a *attempt, status *v1alpha1.LoginSessionStatus) {
	warnAt := r.warnAt(a.session, status)
	if warnAt.IsZero() || a.now.Before(warnAt) {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.SessionEndingSoonCondition)
		a.wakeBy(warnAt)
		return
	}
	setCondition(a, &status.Conditions, metav1.Condition{
		Type: v1alpha1.SessionEndingSoonCondition, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSessionEndingSoon,
		Message: fmt.Sprintf("The login session ends at %s at the latest. Sign in again before: %s",
			status.Session.EstimatedEndAt.UTC().Format(time.RFC3339), pluginLogin(a.session)),
	})
}

// warnAt is from when the session is said to end soon; zero where it is over, where
// nothing is known of its end, or where nobody wants to know.
func (r *LoginSessionReconciler) warnAt(session *v1alpha1.LoginSession, status *v1alpha1.LoginSessionStatus) time.Time {
	if r.SessionEndWarning == 0 || session.Spec.Suspend || status.Session == nil || status.Session.EstimatedEndAt == nil ||
		meta.IsStatusConditionFalse(status.Conditions, v1alpha1.SessionActiveCondition) {
		return time.Time{}
	}
	return status.Session.EstimatedEndAt.Add(-r.SessionEndWarning)
}

// concernsPods says whether pods should show a condition that is new. What they mount
// that is not our target is not ours to talk about.
func (r *LoginSessionReconciler) concernsPods(condition metav1.Condition, all []metav1.Condition) bool {
	ending := condition.Reason == v1alpha1.ReasonSessionEndingSoon || condition.Reason == v1alpha1.ReasonReloginRequired
	return r.NudgePods && ending && !reasons(all)[v1alpha1.ReasonTargetConflict]
}

// tellPods has the pods that mount the target show that the session ends or has ended:
// whoever looks at a pod that fails need not know of LoginSessions.
func (r *LoginSessionReconciler) tellPods(ctx context.Context, session *v1alpha1.LoginSession, ending metav1.Condition) {
	ctx, cancel := context.WithTimeout(ctx, nudgeWithin)
	defer cancel()
	target := targetOf(session)
	pods, err := r.podsThatMount(ctx, target)
	if err != nil {
		r.tellOfNudge(ctx, session, corev1.EventTypeWarning, v1alpha1.ReasonNudgeFailed,
			fmt.Sprintf("Pods that mount Secret %s do not show %s, because %s.", target, ending.Reason, whyNotTold(err)))
		return
	}
	note := cut(fmt.Sprintf("LoginSession %s, whose credentials this pod mounts: %s", session.Name, ending.Message), maxNote)
	for i := range pods[:min(len(pods), mostPodsTold)] {
		r.Recorder.Eventf(&pods[i], session, corev1.EventTypeWarning, ending.Reason, "Refresh", "%s", note)
	}
}

package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/api/v1alpha1"
)

// maxNote is the longest note that an event may have (events.k8s.io/v1).
const maxNote = 1024

// finish is the one exit: status, events and the next wake-up.
func (r *LoginSessionReconciler) finish(ctx context.Context, a *attempt, t *trouble) (ctrl.Result, error) {
	status, acted := summarize(a, t), a.session // the status may be written onto a newer one
	r.warnOfEnd(a, &status)
	switch err := r.patchStatus(ctx, a, status); {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, nil
	case err != nil:
		log.FromContext(ctx).Info("the status is still to be written", "reason", brief(err))
		a.wakeBy(again(a, &a.memory.unreported))
	default:
		a.memory.unreported = nil
		r.report(ctx, a.session, status.Conditions)
	}
	settle(a, acted, t)
	return after(wakeAfter(a, t, r.Clock.Now())), nil
}

// patchStatus writes the status if it changed. A conflict with an edit of anything
// else is no reason not to. One with another status is: another replica wrote it,
// and everything is found out anew.
func (r *LoginSessionReconciler) patchStatus(ctx context.Context, a *attempt, status v1alpha1.LoginSessionStatus) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if a.memory.unreported != nil { // the last write may have taken effect all the same
		live, err := r.readLive(ctx, a)
		if err != nil {
			return err
		}
		a.session = live
	}
	err := r.patchOnto(ctx, a.session, status)
	if apierrors.IsConflict(err) {
		err = r.patchLive(ctx, a, status, err)
	}
	if err == nil {
		a.memory.status = &status
	}
	return err
}

func (r *LoginSessionReconciler) patchLive(ctx context.Context, a *attempt, status v1alpha1.LoginSessionStatus, conflict error) error {
	live, err := r.readLive(ctx, a)
	if err != nil {
		return err
	}
	if !equality.Semantic.DeepEqual(live.Status, a.session.Status) {
		a.memory.status = nil
		return conflict
	}
	return r.patchOnto(ctx, live, status)
}

func (r *LoginSessionReconciler) patchOnto(ctx context.Context, base *v1alpha1.LoginSession, status v1alpha1.LoginSessionStatus) error {
	if equality.Semantic.DeepEqual(base.Status, status) {
		return nil
	}
	// The reply with all that the LoginSession is would cost more than the patch.
	patch, err := client.MergeFromWithOptions(statusOf(base, base.Status), client.MergeFromWithOptimisticLock{}).Data(statusOf(base, status))
	if err != nil {
		return fmt.Errorf("make a patch of the status: %w", err)
	}
	metadata := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: base.Namespace, Name: base.Name}}
	metadata.SetGroupVersionKind(loginSessionKind)
	return r.Client.Status().Patch(ctx, metadata, client.RawPatch(types.MergePatchType, patch))
}

// statusOf is a LoginSession with nothing else to be compared.
func statusOf(session *v1alpha1.LoginSession, status v1alpha1.LoginSessionStatus) *v1alpha1.LoginSession {
	return &v1alpha1.LoginSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: session.Namespace, Name: session.Name, ResourceVersion: session.ResourceVersion},
		Status:     status,
	}
}

// report tells of transitions only: an event and a log line for every reason
// that was not there before. All is well is told once, by Ready.
func (r *LoginSessionReconciler) report(ctx context.Context, session *v1alpha1.LoginSession, conditions []metav1.Condition) {
	told := reasons(session.Status.Conditions)
	for _, condition := range conditions {
		kind := corev1.EventTypeWarning
		switch condition.Reason {
		case v1alpha1.ReasonSessionActive, v1alpha1.ReasonPublished, v1alpha1.ReasonNotTried:
			continue
		case v1alpha1.ReasonRefreshed:
			kind = corev1.EventTypeNormal
		}
		if told[condition.Reason] {
			continue
		}
		told[condition.Reason] = true
		r.Recorder.Eventf(session, nil, kind, condition.Reason, "Refresh", "%s", cut(condition.Message, maxNote))
		log.FromContext(ctx).Info("transition", "reason", condition.Reason, "condition", condition.Type,
			"status", condition.Status, "message", condition.Message)
		if r.concernsPods(condition, conditions) {
			r.tellPods(ctx, session, condition)
		}
	}
}

func reasons(conditions []metav1.Condition) map[string]bool {
	found := map[string]bool{}
	for _, condition := range conditions {
		found[condition.Reason] = true
	}
	return found
}

// wakeAfter is when to look again if nothing is reported before: when a step
// asked for it, and in trouble also at the moments at which time alone changes
// the status. Zero waits for a change.
func wakeAfter(a *attempt, t *trouble, now time.Time) time.Duration {
	if t != nil && a.published != nil {
		for _, moment := range []time.Time{a.published.schedule().OverdueAt(), a.published.expiresAt} {
			if moment.After(a.now) {
				a.wakeBy(moment)
			}
		}
	}
	if a.wakeAt.IsZero() {
		return 0
	}
	return max(time.Millisecond, a.wakeAt.Sub(now)) // some time has passed since the reconcile began
}

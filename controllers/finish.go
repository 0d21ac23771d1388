package controllers

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/api/v1alpha1"
)

// maxNote is the longest note that an event may have (events.k8s.io/v1).
const maxNote = 1024

// finish is the one exit: status, events and the next wake-up.
func (r *LoginSessionReconciler) finish(ctx context.Context, a *attempt, t *trouble) (ctrl.Result, error) {
	status := summarize(a, t)
	before, err := r.patchStatus(ctx, a, status)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	r.report(ctx, a.session, before.Conditions, status.Conditions)
	return ctrl.Result{RequeueAfter: wakeAfter(a, t)}, nil
}

// patchStatus writes the status if it changed, and returns the one before. The
// operator alone writes it, so what it computed last is the truth, and the cache
// may lag behind: then the live object is what the difference is made against.
func (r *LoginSessionReconciler) patchStatus(ctx context.Context, a *attempt, status v1alpha1.LoginSessionStatus) (v1alpha1.LoginSessionStatus, error) {
	base := a.session
	stale := a.memory.statusHash != 0 && a.memory.statusHash != hashOf(base.Status)
	for {
		if stale {
			base = &v1alpha1.LoginSession{}
			if err := r.Live.Get(ctx, client.ObjectKeyFromObject(a.session), base); err != nil {
				return v1alpha1.LoginSessionStatus{}, err
			}
		}
		err := r.patchOnto(ctx, base, status)
		if err == nil {
			a.memory.statusHash = hashOf(status)
			return base.Status, nil
		}
		if stale || !apierrors.IsConflict(err) {
			return v1alpha1.LoginSessionStatus{}, err
		}
		stale = true
	}
}

func (r *LoginSessionReconciler) patchOnto(ctx context.Context, base *v1alpha1.LoginSession, status v1alpha1.LoginSessionStatus) error {
	if equality.Semantic.DeepEqual(base.Status, status) {
		return nil
	}
	changed := base.DeepCopy()
	changed.Status = status
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return r.Client.Status().Patch(ctx, changed, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
}

func hashOf(status v1alpha1.LoginSessionStatus) uint64 {
	hash := fnv.New64a()
	_ = json.NewEncoder(hash).Encode(status) // a hash takes all writes
	return hash.Sum64()
}

// report tells of transitions only: an event and a log line for every reason
// that was not there before. All is well is told once, by Ready.
func (r *LoginSessionReconciler) report(ctx context.Context, session *v1alpha1.LoginSession, before, after []metav1.Condition) {
	told := reasons(before)
	for _, condition := range after {
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
	}
}

func reasons(conditions []metav1.Condition) map[string]bool {
	found := map[string]bool{}
	for _, condition := range conditions {
		found[condition.Reason] = true
	}
	return found
}

// wakeAfter is when to look again if nothing is reported before: the next
// attempt, and in trouble also the moments at which time alone changes the
// status. Zero waits for a change.
func wakeAfter(a *attempt, t *trouble) time.Duration {
	next := a.nextAt
	if t != nil && !t.retryAt.IsZero() {
		next = t.retryAt
	}
	wake := earliest(0, atLeast(time.Millisecond, next, a.now), a.publishAt.Sub(a.now))
	if t != nil && a.published != nil {
		wake = earliest(wake, a.published.schedule().OverdueAt().Sub(a.now), a.published.expiresAt.Sub(a.now))
	}
	return wake
}

// atLeast is the wait for a moment, however late it is; zero for the zero time.
func atLeast(least time.Duration, moment, now time.Time) time.Duration {
	if moment.IsZero() {
		return 0
	}
	return max(least, moment.Sub(now))
}

// earliest is the shortest of the waits that are positive, zero where none is.
func earliest(shortest time.Duration, waits ...time.Duration) time.Duration {
	for _, wait := range waits {
		if wait > 0 && (shortest <= 0 || wait < shortest) {
			shortest = wait
		}
	}
	return shortest
}

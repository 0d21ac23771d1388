package controllers

import (
	"context"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/workload"
)

const (
	// kubeletNeeds is how long a kubelet may take, by its default settings, to bring
	// a changed Secret to a pod: the longest time measured, 79 s, and some more.
	kubeletNeeds = 2 * time.Minute

	nudgeWithin  = 10 * time.Second
	nudgePage    = 500
	nudgeWorkers = 8
)

// announce deals with credentials that were published in place of those before,
// nil where there were none. It does so once for a publication, though the status
// that records it may be written by a later reconcile only.
func (r *LoginSessionReconciler) announce(ctx context.Context, a *attempt, before *published) {
	publication := string(a.target.UID) + "/" + a.published.accessKeyID
	if a.memory.announced == publication || (before != nil && before.accessKeyID == a.published.accessKeyID) {
		return
	}
	a.memory.announced = publication
	var left time.Duration
	if before != nil {
		left = max(0, before.expiresAt.Sub(r.Clock.Now()))
		remaining.Observe(left.Seconds())
	}
	if r.NudgePods && left < kubeletNeeds {
		r.nudge(ctx, a.session)
	}
}

// nudge has the pods that mount the target see it at once: a kubelet syncs a pod
// whose annotations change, and its volumes with it. Failing is no trouble of the
// LoginSession: the pods see the target later.
func (r *LoginSessionReconciler) nudge(ctx context.Context, session *v1alpha1.LoginSession) {
	ctx, cancel := context.WithTimeout(ctx, nudgeWithin)
	defer cancel()
	target, told := targetOf(session), 0
	pods, err := r.podsThatMount(ctx, target)
	if err == nil {
		told, err = r.nudgePods(ctx, pods)
	}
	if told > 0 {
		r.tellOfNudge(ctx, session, corev1.EventTypeNormal, v1alpha1.ReasonPodsNudged,
			fmt.Sprintf("%d pod(s) that mount Secret %s were told of the new credentials.", told, target))
	}
	if err != nil {
		r.tellOfNudge(ctx, session, corev1.EventTypeWarning, v1alpha1.ReasonNudgeFailed,
			fmt.Sprintf("Pods that mount Secret %s may see the new credentials late, because %s.", target, whyNotTold(err)))
	}
}

func (r *LoginSessionReconciler) tellOfNudge(ctx context.Context, session *v1alpha1.LoginSession, kind, reason, message string) {
	r.Recorder.Eventf(session, nil, kind, reason, "Nudge", "%s", cut(message, maxNote))
	log.FromContext(ctx).Info("nudge", "reason", reason, "message", message)
}

func whyNotTold(err error) string {
	if noRightToPods.MatchString(err.Error()) {
		return "the operator may not list and patch pods: install config/nudge, or run without --nudge-pods"
	}
	return "telling them failed: " + brief(err)
}

// noRightToPods is how the API server says that RBAC grants no such right.
var noRightToPods = regexp.MustCompile(`^pods( "[^"]*")? is forbidden: User "[^"]*" cannot (list|patch) resource "pods"`)

// livePods have a kubelet, and are not over.
var livePods = fields.ParseSelectorOrDie("spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed")

// podsThatMount are the live pods that mount a Secret, each with nothing but what
// identifies it. They are listed by the API server: a cache would keep all pods of the
// cluster for this.
func (r *LoginSessionReconciler) podsThatMount(ctx context.Context, secret types.NamespacedName) ([]corev1.Pod, error) {
	var found []corev1.Pod
	page := &client.ListOptions{Namespace: secret.Namespace, FieldSelector: livePods, Limit: nudgePage}
	for {
		var pods corev1.PodList
		if err := r.Live.List(ctx, &pods, page); err != nil {
			return nil, err
		}
		for _, pod := range pods.Items {
			if pod.DeletionTimestamp.IsZero() && workload.Mounts(pod.Spec.Volumes, secret.Name) {
				found = append(found, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}})
			}
		}
		if page.Continue = pods.Continue; page.Continue == "" {
			return found, nil
		}
	}
}

// nudgePods annotates pods, a few at a time, and counts those that it has reached.
// Its error is the first one.
func (r *LoginSessionReconciler) nudgePods(ctx context.Context, pods []corev1.Pod) (told int, err error) {
	// With fractions of a second: a pod may mount two targets that are published within
	// one, and is synced again only if the annotation changes again.
	at := r.Clock.Now().UTC().Format(time.RFC3339Nano)
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %q}}}`, v1alpha1.NudgedAtAnnotation, at))
	var reached atomic.Int64
	var workers errgroup.Group
	workers.SetLimit(nudgeWorkers)
	for i := range pods {
		workers.Go(func() error {
			err := r.Client.Patch(ctx, &pods[i], patch)
			if err == nil {
				reached.Add(1)
			}
			return client.IgnoreNotFound(err)
		})
	}
	err = workers.Wait()
	return int(reached.Load()), err
}

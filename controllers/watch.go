package controllers

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"awslogin.dev/operator/api/v1alpha1"
)

const (
	indexCache  = "loginCacheSecret"
	indexTarget = "targetSecret"
)

// CacheOptions keep out of memory what is not needed: no Secret's data, of their
// metadata name and version alone, and only the LoginSessions with matching labels,
// without the records of what has been written by whom.
func CacheOptions(selector labels.Selector) cache.Options {
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&v1alpha1.LoginSession{}: {Label: selector, Transform: withoutRecords},
		secretMetadata():         {Transform: nameOnly, UnsafeDisableDeepCopy: ptr.To(true)}, // nobody changes them
	}}
}

// ClientOptions make every read of a Secret a live one.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}}
}

func secretMetadata() *metav1.PartialObjectMetadata {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return secret
}

// withoutRecords drops the fields' managers, and what kubectl apply keeps for itself.
func withoutRecords(object any) (any, error) {
	if session, ok := object.(*v1alpha1.LoginSession); ok {
		session.ManagedFields = nil
		delete(session.Annotations, corev1.LastAppliedConfigAnnotation)
	}
	return object, nil
}

// nameOnly drops annotations above all: kubectl apply keeps a copy of a Secret's
// whole content there.
func nameOnly(object any) (any, error) {
	if secret, ok := object.(*metav1.PartialObjectMetadata); ok {
		secret.ObjectMeta = metav1.ObjectMeta{
			Namespace: secret.Namespace, Name: secret.Name, UID: secret.UID, ResourceVersion: secret.ResourceVersion,
		}
	}
	return object, nil
}

// sessions are LoginSessions as the cache itself holds them: to be read, not changed.
func (r *LoginSessionReconciler) sessions(ctx context.Context, which ...client.ListOption) ([]v1alpha1.LoginSession, error) {
	var list v1alpha1.LoginSessionList
	err := r.Client.List(ctx, &list, append(which, client.UnsafeDisableDeepCopy)...)
	return list.Items, err
}

// Index makes LoginSessions findable by the Secrets they name.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &v1alpha1.LoginSession{}, indexCache, func(object client.Object) []string {
		return []string{object.(*v1alpha1.LoginSession).Spec.LoginCacheSecretRef.Name}
	})
	if err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.LoginSession{}, indexTarget, func(object client.Object) []string {
		return []string{object.(*v1alpha1.LoginSession).TargetSecretName()}
	})
}

// SetupWithManager watches LoginSessions, and the metadata of the Secrets they
// name: a new login, a deleted or edited target and a freed name are seen at once.
func (r *LoginSessionReconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, concurrency int) error {
	if err := Index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	// Known before the start, it is waited for with the LoginSessions.
	if _, err := mgr.GetCache().GetInformer(ctx, secretMetadata(), cache.BlockUntilSynced(false)); err != nil {
		return err
	}
	if err := metrics.Registry.Register(sessionMetrics{r}); err != nil {
		return err
	}
	r.resumed = make(chan event.GenericEvent)
	r.turns.workers = concurrency
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.LoginSession{}, builder.WithPredicates(predicate.Or(
			predicate.GenerationChangedPredicate{}, refreshRequested))).
		Watches(&v1alpha1.LoginSession{}, handler.EnqueueRequestsFromMapFunc(r.sharersOf),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.sessionsOf)).
		WatchesRawSource(source.Channel(r.resumed, handler.Funcs{GenericFunc: r.wakeAll})).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: concurrency,
			UsePriorityQueue:        ptr.To(true), // see inTime
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
				time.Second, 30*time.Second),
		}).
		Complete(r)
}

// Resume wakes every LoginSession: what they needed while another replica worked,
// or none did, is done now.
func (r *LoginSessionReconciler) Resume(ctx context.Context) {
	select {
	case r.resumed <- event.GenericEvent{Object: &v1alpha1.LoginSession{}}:
	case <-ctx.Done():
	}
}

func (r *LoginSessionReconciler) wakeAll(ctx context.Context, _ event.GenericEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	sessions, err := r.sessions(ctx)
	prioritized, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request])
	if err != nil || !ok { // not with a cache that is started, nor with the queue that was asked for
		return
	}
	prioritized.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(inTime)}, requestsFor(sessions)...)
}

func requestsFor(sessions []v1alpha1.LoginSession) []reconcile.Request {
	requests := make([]reconcile.Request, 0, len(sessions))
	for i := range sessions {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&sessions[i])})
	}
	return requests
}

// refreshRequested lets through updates that ask for a refresh.
var refreshRequested = predicate.Funcs{
	CreateFunc:  func(event.CreateEvent) bool { return false },
	DeleteFunc:  func(event.DeleteEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool {
		const name = v1alpha1.RefreshRequestedAtAnnotation
		return e.ObjectOld.GetAnnotations()[name] != e.ObjectNew.GetAnnotations()[name]
	},
}

// sessionsOf are the LoginSessions that name a Secret, as login cache or target.
func (r *LoginSessionReconciler) sessionsOf(ctx context.Context, secret client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, index := range []string{indexCache, indexTarget} {
		sessions, err := r.sessions(ctx, client.InNamespace(secret.GetNamespace()), client.MatchingFields{index: secret.GetName()})
		if err != nil { // only where the index is missing, which SetupWithManager made
			return nil
		}
		for _, request := range requestsFor(sessions) {
			if !slices.Contains(requests, request) {
				requests = append(requests, request)
			}
		}
	}
	return requests
}

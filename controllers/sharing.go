package controllers

import (
	"cmp"
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"awslogin.dev/operator/api/v1alpha1"
)

// sharers are all LoginSessions of one login cache.
func (r *LoginSessionReconciler) sharers(ctx context.Context, session *v1alpha1.LoginSession) ([]v1alpha1.LoginSession, error) {
	var list v1alpha1.LoginSessionList
	err := r.Client.List(ctx, &list, client.InNamespace(session.Namespace),
		client.MatchingFields{indexCache: session.Spec.LoginCacheSecretRef.Name})
	return list.Items, err
}

// regionLeader is the LoginSession whose spec.signInRegion holds for all that
// share the login cache: the oldest that names one, so that a newcomer cannot
// send an established session elsewhere. dissenter is one that names another.
// Both are nil where nobody names a region.
func (r *LoginSessionReconciler) regionLeader(ctx context.Context, session *v1alpha1.LoginSession) (leader, dissenter *v1alpha1.LoginSession, err error) {
	sharers, err := r.sharers(ctx, session)
	if err != nil {
		return nil, nil, err
	}
	sharers = slices.DeleteFunc(sharers, func(s v1alpha1.LoginSession) bool {
		return s.Spec.SignInRegion == "" || !s.DeletionTimestamp.IsZero()
	})
	if len(sharers) == 0 {
		return nil, nil, nil
	}
	slices.SortFunc(sharers, func(a, b v1alpha1.LoginSession) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	leader = &sharers[0]
	for i := range sharers {
		if sharers[i].Spec.SignInRegion != leader.Spec.SignInRegion {
			return leader, &sharers[i], nil
		}
	}
	return leader, nil, nil
}

// sharersOf wakes the LoginSessions that share a login cache with a changed one:
// which sign-in region holds may have changed with it.
func (r *LoginSessionReconciler) sharersOf(ctx context.Context, object client.Object) []reconcile.Request {
	session, ok := object.(*v1alpha1.LoginSession)
	if !ok {
		return nil
	}
	sharers, err := r.sharers(ctx, session)
	if err != nil { // only where the index is missing, which SetupWithManager made
		return nil
	}
	var requests []reconcile.Request
	for i := range sharers {
		if sharers[i].Name != session.Name {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&sharers[i])})
		}
	}
	return requests
}

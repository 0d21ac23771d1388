package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"awslogin.dev/operator/api/v1alpha1"
)

// sharers are all LoginSessions that name one login cache Secret.
func (r *LoginSessionReconciler) sharers(ctx context.Context, session *v1alpha1.LoginSession) ([]v1alpha1.LoginSession, error) {
	return r.sessions(ctx, client.InNamespace(session.Namespace),
		client.MatchingFields{indexCache: session.Spec.LoginCacheSecretRef.Name})
}

// settleRegion decides where the session is refreshed, alike for all that share
// its login cache: as the oldest LoginSession has it, by name or by default, so
// that a newcomer cannot send an established session elsewhere.
func (r *LoginSessionReconciler) settleRegion(ctx context.Context, a *attempt) *trouble {
	sharers, err := r.sharers(ctx, a.session)
	if err != nil {
		return unreadable(a, cacheOf(a.session), err)
	}
	a.sharing = sharing(sharers)
	sharers = slices.DeleteFunc(sharers, func(s v1alpha1.LoginSession) bool {
		key, err := cacheKey(a.secret, s.Spec.LoginCacheSecretRef.Key)
		return err != nil || key != a.key || !s.DeletionTimestamp.IsZero()
	})
	slices.SortFunc(sharers, func(a, b v1alpha1.LoginSession) int { return byAge(&a, &b) })
	leader := a.session
	if len(sharers) > 0 {
		leader = &sharers[0]
	}
	a.regionLeader = leader
	a.region = cmp.Or(leader.Spec.SignInRegion, a.login.SignInRegion, leader.Spec.Region, r.SignInRegion)
	a.state.forgiveRegion(a.region)
	for _, sharer := range sharers {
		if own := sharer.Spec.SignInRegion; own != "" && own != a.region {
			a.note = fmt.Sprintf(" LoginSession %s shares the login cache and names another spec.signInRegion, %s, which is not used.", sharer.Name, own)
		}
	}
	return nil
}

// byAge puts the older LoginSession first.
func byAge(a, b *v1alpha1.LoginSession) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// regionSource says where the region is from, for who has to correct it.
func (a *attempt) regionSource() string {
	switch leader := a.regionLeader; {
	case leader.UID != a.session.UID:
		return fmt.Sprintf("that of LoginSession %s, which shares the login cache and is older,", leader.Name)
	case leader.Spec.SignInRegion != "":
		return "spec.signInRegion"
	}
	return "the default for the missing spec.signInRegion"
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
	return requestsFor(slices.DeleteFunc(sharers, func(s v1alpha1.LoginSession) bool { return s.Name == session.Name }))
}

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/internal/loginrefresh"
)

// writeBackTries bounds how often a conflicting write-back is tried again at once.
const writeBackTries = 5

// writeTimeout leaves a reconcile whose write hangs the time to say so.
const writeTimeout = 10 * time.Second

// advance refreshes the login cache if that is due and nothing speaks against
// it, and writes the result back before anything else can happen to it.
func (r *LoginSessionReconciler) advance(ctx, shutdown context.Context, a *attempt) (*trouble, error) {
	if a.state.pending != nil {
		return r.writeBack(ctx, a)
	}
	if a.session.Spec.Suspend {
		return nil, nil
	}
	if refusal, err := r.refuse(ctx, a); refusal != nil || err != nil {
		return refusal, err
	}
	decision := a.schedule().Decide(a.now, a.state.failureOf(a.login.Fingerprint()), a.requested != "")
	a.nextAt = decision.At
	if floor := a.state.askedAt.Add(loginrefresh.Floor); decision.Refresh && a.now.Before(floor) {
		a.nextAt = floor
		return refreshTrouble(a), nil
	}
	if !decision.Refresh {
		return refreshTrouble(a), nil
	}
	log.FromContext(ctx).V(1).Info("refreshing", "reason", decision.Reason, "region", a.region)
	return r.refreshNow(ctx, shutdown, a)
}

// schedule of the newest credentials for this LoginSession.
func (a *attempt) schedule() loginrefresh.Schedule {
	before := 10 * time.Minute
	if a.session.Spec.RefreshBefore != nil {
		before = a.session.Spec.RefreshBefore.Duration
	}
	return loginrefresh.Schedule{
		ExpiresAt:     a.login.Credentials.ExpiresAt,
		Lifetime:      a.lifetime,
		RefreshBefore: before,
		Seed:          string(a.session.UID),
	}
}

// refuse finds what speaks against a refresh before anything is spent: a refresh
// whose result cannot be kept may end the session.
func (r *LoginSessionReconciler) refuse(ctx context.Context, a *attempt) (*trouble, error) {
	if a.secret.Immutable != nil && *a.secret.Immutable {
		return cacheImmutable(a), nil
	}
	allowed, err := r.permissions.mayUpdate(ctx, r.Client, cacheOf(a.session), a.now, a.requested != "")
	if err != nil {
		return nil, fmt.Errorf("ask whether the login cache may be written back: %w", err)
	}
	if !allowed {
		return writeBackForbidden(a), nil
	}
	if own := a.session.Spec.SignInRegion; own != "" && own != a.region {
		return regionConflict(a), nil
	}
	return nil, nil
}

// refreshNow spends the refresh token. From here to the write-back the session
// depends on this process, so a shutdown that has begun keeps it from starting.
func (r *LoginSessionReconciler) refreshNow(ctx, shutdown context.Context, a *attempt) (*trouble, error) {
	if shutdown.Err() != nil {
		return nil, shutdown.Err()
	}
	a.state.askedAt = a.now
	a.handled = a.requested != ""
	rotation, err := r.SignIn.Refresh(ctx, a.login, a.region)
	a.now = r.Clock.Now()
	var failed *loginrefresh.RefreshError
	if errors.As(err, &failed) {
		a.state.fail(a.login.Fingerprint(), failed, a.now)
		a.nextAt = a.schedule().RetryAt(*a.state.failure)
		return refreshTrouble(a), nil
	}
	rotated, err := a.stored.Rotate(rotation)
	if err != nil {
		return nil, fmt.Errorf("apply the rotation to the login cache: %w", err)
	}
	a.state.failure, a.state.failedAt = nil, ""
	a.state.pending = &pendingRotation{spent: a.stored.Fingerprint(), rotation: &rotation}
	a.login, a.lifetime = rotated, rotation.Lifetime
	return r.writeBack(ctx, a)
}

// writeBack stores the pending rotation in the login cache's Secret, on the
// resourceVersion it was read at. If somebody wrote in between, the Secret is
// read again: load then tells whether it is still the same session. Only the
// write is ever repeated, never the refresh.
func (r *LoginSessionReconciler) writeBack(ctx context.Context, a *attempt) (*trouble, error) {
	var err error
	for range writeBackTries {
		if err = r.updateCache(ctx, a); err == nil {
			return r.writtenBack(ctx, a), nil
		}
		if !apierrors.IsConflict(err) {
			break
		}
		trouble, readErr := r.load(ctx, a)
		if readErr != nil || trouble != nil {
			return trouble, readErr
		}
		if a.state.pending == nil { // another login: theirs wins, ours is dropped
			a.nextAt = a.now.Add(loginrefresh.Floor)
			return nil, nil
		}
	}
	if apierrors.IsNotFound(err) {
		return cacheMissing(a), nil
	}
	if apierrors.IsForbidden(err) {
		r.permissions.forget(cacheOf(a.session))
	}
	pending := a.state.pending
	pending.failures = pending.failures.Then(&loginrefresh.RefreshError{Outcome: loginrefresh.Retryable}, a.now)
	a.nextAt = time.Time{}
	return writeBackPending(a, err, a.schedule().RetryAt(*pending.failures)), nil
}

func (r *LoginSessionReconciler) updateCache(ctx context.Context, a *attempt) error {
	secret := a.secret.DeepCopy()
	secret.Data[a.key] = a.login.Bytes()
	setLifetime(secret, *a.state.pending.rotation)
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := r.Client.Update(ctx, secret); err != nil {
		return err
	}
	a.secret = secret
	return nil
}

// writtenBack settles a rotation that is safe in its Secret, and uses the new
// credentials to learn who is signed in where that is not known yet.
func (r *LoginSessionReconciler) writtenBack(ctx context.Context, a *attempt) *trouble {
	a.state.pending = nil
	a.stored = a.login
	a.nextAt = a.schedule().DueAt()
	if !a.state.confirmed {
		r.confirm(ctx, a)
	}
	return r.identify(ctx, a)
}

package controllers

import (
	"cmp"
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/internal/loginrefresh"
)

// writeBackTries bounds how often a conflicting write-back is tried again at once.
const writeBackTries = 5

// writeTimeout leaves a reconcile whose write hangs the time to say so.
const writeTimeout = 10 * time.Second

// advance refreshes the login cache if that is due and nothing speaks against
// it, and writes the result back before anything else can happen to it. Its
// error is that of a shutdown.
func (r *LoginSessionReconciler) advance(ctx, shutdown context.Context, a *attempt) (*trouble, error) {
	if a.session.Spec.Suspend {
		return nil, nil
	}
	if refusal := r.refuse(ctx, a); refusal != nil {
		return refusal, nil
	}
	decision := a.schedule().Decide(a.now, a.state.failureOf(a.login.Fingerprint()), a.requested != "")
	if !decision.Refresh {
		a.plan(decision.At)
		return refreshTrouble(a), nil
	}
	if floor := a.state.askedAt.Add(loginrefresh.Floor); a.now.Before(floor) {
		a.plan(floor)
		return refreshTrouble(a), nil
	}
	if permit := r.permit(a); r.Clock.Now().Before(permit) {
		a.plan(permit)
		return cmp.Or(refreshTrouble(a), r.limited(a, permit)), nil
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
func (r *LoginSessionReconciler) refuse(ctx context.Context, a *attempt) *trouble {
	if a.secret.Immutable != nil && *a.secret.Immutable {
		return cacheImmutable(a)
	}
	allowed, err := r.permissions.mayUpdate(ctx, r.Client, cacheOf(a.session), a.now, a.requested != "")
	if err != nil {
		return unasked(a, err)
	}
	a.memory.unasked = nil
	if !allowed {
		return writeBackForbidden(a)
	}
	if own := a.session.Spec.SignInRegion; own != "" && own != a.region && a.regionLeader.UID != a.session.UID {
		return regionConflict(a)
	}
	return nil
}

// permit is from when AWS may be asked, in turn with all other login caches. What
// a login cache was once promised is kept for it, but not for long after: or all
// would come at once that were kept from coming.
func (r *LoginSessionReconciler) permit(a *attempt) time.Time {
	if r.SignInLimit != nil && a.state.permitAt.Add(permitKept).Before(a.now) {
		a.state.permitAt = r.lanes.permit(r.SignInLimit, r.Clock.Now)
	}
	return a.state.permitAt
}

// permitKept leaves a reconcile that has got a turn the time to come.
const permitKept = 5 * time.Second

var errOtherReplica = errors.New("another replica may be at work: the refresh is left to it")

// refreshNow spends the refresh token. From here to the write-back the session
// depends on this process, so a shutdown that has begun keeps it from starting, and
// so does another replica that may be at work by now.
func (r *LoginSessionReconciler) refreshNow(ctx, shutdown context.Context, a *attempt) (*trouble, error) {
	if shutdown.Err() != nil {
		return nil, shutdown.Err()
	}
	if r.term() != a.term {
		return nil, errOtherReplica
	}
	a.state.askedAt, a.state.permitAt = r.Clock.Now(), time.Time{}
	if a.requested != "" {
		a.memory.handled = a.requested
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rotateWithin)
	defer cancel()
	rotation, err := r.SignIn.Refresh(ctx, a.login, a.region)
	a.now = r.Clock.Now()
	refreshDuration.Observe(a.now.Sub(a.state.askedAt).Seconds())
	count(refreshes, err)
	if err == nil {
		return r.keep(ctx, a, rotation), nil
	}
	a.state.fail(a.login.Fingerprint(), a.region, refusalIn(err), a.now)
	a.plan(a.schedule().RetryAt(*a.state.failure))
	return refreshTrouble(a), nil
}

// refusalIn is what an error of an AWS service means; any other may pass.
func refusalIn(err error) *loginrefresh.ServiceError {
	refused := &loginrefresh.ServiceError{Outcome: loginrefresh.Retryable}
	errors.As(err, &refused)
	return refused
}

// keep takes up a rotation and writes it back.
func (r *LoginSessionReconciler) keep(ctx context.Context, a *attempt, rotation loginrefresh.Rotation) *trouble {
	inVain, failures := a.noYounger(rotation), a.state.failureOf(a.login.Fingerprint())
	a.trimToLife(&rotation)
	a.state.failure, a.state.failedAt = nil, ""
	a.state.pending = &pendingRotation{spent: a.stored.Fingerprint(), rotation: &rotation}
	if err := applyPending(a); err != nil { // not for a login that was parsed
		return cacheInvalid(a, err)
	}
	next := later(a.schedule().DueAt(), a.state.askedAt.Add(loginrefresh.Floor))
	if inVain {
		a.state.failure, a.state.failedAt = failures, a.login.Fingerprint()
		a.state.fail(a.login.Fingerprint(), a.region, loginrefresh.NoYounger(), a.now)
		next = a.schedule().RetryAt(*a.state.failure)
	}
	rotated := a.login.Fingerprint()
	if trouble := r.writeBack(ctx, a); trouble != nil {
		return trouble
	}
	if a.login.Fingerprint() != rotated { // another login was stored meanwhile
		next = a.schedule().DueAt()
	}
	a.plan(next)
	return refreshTrouble(a)
}

// noYounger says whether a rotation brought credentials that are no better than
// those before. Its refresh token counts all the same.
func (a *attempt) noYounger(rotation loginrefresh.Rotation) bool {
	return rotation.AccessKeyID == a.login.Credentials.AccessKeyID || a.schedule().Outlives(rotation.ExpiresAt, a.now)
}

// trimToLife believes what AWS said first of an access key: its life cannot grow.
func (a *attempt) trimToLife(rotation *loginrefresh.Rotation) {
	before := a.login.Credentials
	if rotation.AccessKeyID != before.AccessKeyID {
		return
	}
	rotation.Lifetime = a.lifetime
	if before.ExpiresAt.Before(rotation.ExpiresAt) {
		rotation.ExpiresAt = before.ExpiresAt
	}
}

// writeBack stores a pending rotation in the login cache's Secret, on the
// resourceVersion it was read at. If somebody wrote in between, the Secret is
// read again: load then tells whether it is still the same session. Only the
// write is ever repeated, never the refresh.
func (r *LoginSessionReconciler) writeBack(ctx context.Context, a *attempt) *trouble {
	var err error
	for range writeBackTries {
		if err = r.updateCache(ctx, a); err == nil {
			a.stored, a.state.pending = a.login, nil
			return nil
		}
		if !apierrors.IsConflict(err) {
			break
		}
		if trouble := r.load(ctx, a); trouble != nil {
			return trouble
		}
		if a.state.pending == nil { // another login was stored: theirs wins
			return nil
		}
	}
	if apierrors.IsNotFound(err) {
		return cacheMissing(a)
	}
	if apierrors.IsForbidden(err) {
		r.permissions.forget(cacheOf(a.session))
	}
	return writeBackPending(a, err)
}

func (r *LoginSessionReconciler) updateCache(ctx context.Context, a *attempt) error {
	secret := a.secret.DeepCopy()
	if err := r.writeRotation(ctx, secret, a.key, a.login, a.state.pending); err != nil {
		return err
	}
	a.secret = secret
	return nil
}

// writeRotation puts a rotated login into its Secret, on the resourceVersion that
// the Secret was read at.
func (r *LoginSessionReconciler) writeRotation(ctx context.Context, secret *corev1.Secret, key string, rotated *loginrefresh.Login, pending *pendingRotation) error {
	secret.Data[key] = rotated.Bytes()
	setLifetime(secret, *pending.rotation)
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return r.Client.Update(ctx, secret)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

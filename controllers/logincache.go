package controllers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

// load reads the login cache from the API server. A rotation that is still to be
// written back counts as the newest state, unless the Secret shows that it was
// written after all or that a person signed in again. What was loaded before
// stays where it cannot.
func (r *LoginSessionReconciler) load(ctx context.Context, a *attempt) *trouble {
	secret := &corev1.Secret{}
	if err := r.Client.Get(ctx, cacheOf(a.session), secret); apierrors.IsNotFound(err) {
		return cacheMissing(a)
	} else if err != nil {
		return unreadable(a, cacheOf(a.session), err)
	}
	if err := mayHoldCache(secret); err != nil {
		return cacheInvalid(a, err)
	}
	key, err := cacheKey(secret, a.session.Spec.LoginCacheSecretRef.Key)
	if err != nil {
		return cacheInvalid(a, err)
	}
	stored, err := loginrefresh.Parse(secret.Data[key])
	if err != nil {
		return cacheInvalid(a, err)
	}
	a.lane.adopt(key, stored.Fingerprint())
	a.loaded = loaded{secret: secret, key: key, state: a.lane.cache(key), stored: stored}
	a.login, a.lifetime = stored, lifetimeOf(secret, stored)
	a.memory.unread = nil
	if a.published != nil && a.published.accessKeyID == stored.Credentials.AccessKeyID {
		a.memory.publishedKey = stored.KeyThumbprint()
	}
	recallFailure(a)
	if err := applyPending(a); err != nil {
		return cacheInvalid(a, err)
	}
	return nil
}

// mayHoldCache refuses Secrets that are somebody else's business. Whoever may name
// one in a LoginSession need not be somebody who may read it.
func mayHoldCache(secret *corev1.Secret) error {
	switch {
	case secret.Type != corev1.SecretTypeOpaque:
		return fmt.Errorf("it is of type %s, and a login cache must be in one of type %s", secret.Type, corev1.SecretTypeOpaque)
	case secret.Labels[v1alpha1.ManagedByLabel] == v1alpha1.ManagedBy:
		return errors.New("it is the target Secret of a LoginSession")
	}
	return nil
}

// cacheKey picks the login cache among the Secret's keys.
func cacheKey(secret *corev1.Secret, wanted string) (string, error) {
	if wanted != "" {
		if _, ok := secret.Data[wanted]; !ok {
			return "", fmt.Errorf("it has no key %q (spec.loginCacheSecretRef.key)", wanted)
		}
		return wanted, nil
	}
	var found []string
	for key := range secret.Data {
		if strings.HasSuffix(key, ".json") {
			found = append(found, key)
		}
	}
	switch len(found) {
	case 0:
		return "", errors.New("it has no key that ends in .json: store the file that `aws login` wrote, or name its key in spec.loginCacheSecretRef.key")
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("it has %d keys that end in .json: name the login cache in spec.loginCacheSecretRef.key", len(found))
}

// applyPending reconciles a rotation in memory with what the Secret holds.
func applyPending(a *attempt) error {
	pending := a.state.pending
	if pending == nil {
		return nil
	}
	rotated, err := pending.onto(a.stored)
	if err != nil {
		return err
	}
	if rotated == nil {
		a.state.pending = nil
		return nil
	}
	a.login, a.lifetime = rotated, pending.rotation.Lifetime
	return nil
}

// lifetimeOf is the life that AWS gave these credentials: known where this
// operator refreshed them, and 15 minutes otherwise.
func lifetimeOf(secret *corev1.Secret, login *loginrefresh.Login) time.Duration {
	accessKeyID, text, _ := strings.Cut(secret.Annotations[v1alpha1.CredentialsLifetimeAnnotation], ":")
	seconds, err := strconv.ParseUint(text, 10, 16)
	lifetime := time.Duration(seconds) * time.Second
	if err != nil || accessKeyID != login.Credentials.AccessKeyID || seconds == 0 || lifetime > loginrefresh.MaxLifetime {
		return loginrefresh.MaxLifetime
	}
	return lifetime
}

func setLifetime(secret *corev1.Secret, rotation loginrefresh.Rotation) {
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	secret.Annotations[v1alpha1.CredentialsLifetimeAnnotation] =
		fmt.Sprintf("%s:%d", rotation.AccessKeyID, int(rotation.Lifetime.Seconds()))
}

// recallFailure takes up, after a restart, the failures that the status tells of
// this very state of the session.
func recallFailure(a *attempt) {
	status, fingerprint := a.session.Status, a.stored.Fingerprint()
	if a.state.failureOf(fingerprint) != nil || status.Session == nil || status.Session.Fingerprint != fingerprint {
		return
	}
	if status.Refresh == nil || status.Refresh.Failures == 0 || status.Refresh.LastFailureAt == nil || !a.state.askedAt.IsZero() {
		return
	}
	a.state.failedAt, a.state.message = fingerprint, "known from before the operator's restart"
	a.state.failure = &loginrefresh.Failure{
		Outcome: outcomeOf(status.Conditions),
		Count:   int(status.Refresh.Failures),
		At:      status.Refresh.LastFailureAt.Time,
	}
}

// identify says who is signed in, and refuses whom it may not be. STS is asked about
// every new login, and after a refresh again where it did not answer; where the
// status knows this very state of the session it is not asked before the next refresh,
// unless a guard has to know.
func (r *LoginSessionReconciler) identify(ctx context.Context, a *attempt) *trouble {
	state, thumbprint := a.state, a.login.KeyThumbprint()
	known := knownIdentity(a)
	switch {
	case state.thumbprint != thumbprint:
		state.thumbprint, state.caller, state.confirmed = thumbprint, a.login.Identity, false
		if known != nil {
			state.caller = *known
		} else {
			r.confirm(ctx, a)
		}
	case !state.confirmed && a.identified != nil && a.identified != a.login:
		r.confirm(ctx, a)
	case state.caller.ARN == "" && r.Guard.Any():
		r.confirm(ctx, a)
	}
	a.identified = a.login
	a.identity = state.caller
	return r.refusePrincipal(a)
}

// confirm asks STS, whose word is worth more than the idToken's. Where it cannot
// be reached the idToken's word stands.
func (r *LoginSessionReconciler) confirm(ctx context.Context, a *attempt) {
	if !a.now.Before(a.login.Credentials.ExpiresAt) {
		return
	}
	identity, err := r.STS.Identity(ctx, a.login.Credentials, a.region)
	if err != nil {
		log.FromContext(ctx).V(1).Info("identity not confirmed", "reason", err.Error())
		return
	}
	a.state.caller, a.state.confirmed = identity, true
}

func knownIdentity(a *attempt) *loginrefresh.Identity {
	status := a.session.Status
	if status.Identity == nil || status.Identity.ARN == "" || status.Session == nil || status.Session.Fingerprint != a.stored.Fingerprint() {
		return nil
	}
	return &loginrefresh.Identity{AccountID: status.Identity.AccountID, ARN: status.Identity.ARN}
}

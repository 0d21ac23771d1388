package controllers

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/internal/loginrefresh"
)

// flushPeriod is how often rotations are written back whose write has failed.
const flushPeriod = 5 * time.Second

// KeepFlushing writes back, until ctx is done, every rotation whose write has
// failed, as soon as that can be: whatever has become of its LoginSession, and
// though another replica may work by now. The session is a person's.
func (r *LoginSessionReconciler) KeepFlushing(ctx context.Context) error {
	ticker := time.NewTicker(flushPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.Flush(ctx)
		}
	}
}

// Flush tries once to write back every rotation that exists in this process only
// and that no reconcile is at work on. Each write is fenced by the resourceVersion.
func (r *LoginSessionReconciler) Flush(ctx context.Context) {
	for secret, lane := range r.lanes.take() {
		for key, cache := range lane.caches {
			if cache.pending != nil {
				r.flushOne(ctx, secret, key, lane, cache)
			}
		}
		r.lanes.release(secret, lane)
	}
}

func (r *LoginSessionReconciler) flushOne(ctx context.Context, name types.NamespacedName, key string, lane *lane, cache *cacheState) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	secret := &corev1.Secret{}
	err := r.Client.Get(ctx, name, secret)
	if err == nil {
		err = r.flushInto(ctx, secret, key, cache)
	}
	switch {
	case err == nil:
		cache.pending = nil
	case r.lanes.isOrphan(lane) && (apierrors.IsNotFound(err) || errors.As(err, new(*loginrefresh.CacheError))):
		cache.pending = nil // nobody expects a login cache there any more
	default:
		log.FromContext(ctx).Info("a rotated login cache is still to be written back", "secret", name, "reason", brief(err))
	}
}

// flushInto writes the pending rotation unless the Secret holds another state of
// the session than the one it was made from. What cannot be read is no state: it
// may yet be replaced by the old one.
func (r *LoginSessionReconciler) flushInto(ctx context.Context, secret *corev1.Secret, key string, cache *cacheState) error {
	stored, err := loginrefresh.Parse(secret.Data[key])
	if err != nil {
		return err
	}
	rotated, err := cache.pending.onto(stored)
	if err != nil || rotated == nil {
		return err
	}
	return r.writeRotation(ctx, secret, key, rotated, cache.pending)
}

// take enters the lanes that hold a rotation and are free.
func (l *lanes) take() map[types.NamespacedName]*lane {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	taken := map[types.NamespacedName]*lane{}
	for secret, lane := range l.lanes {
		if !lane.busy.TryLock() {
			continue
		}
		if !lane.holdsRotation() {
			lane.busy.Unlock()
			continue
		}
		taken[secret] = lane
	}
	return taken
}

func (l *lanes) isOrphan(lane *lane) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return lane.users == 0
}

// release leaves a lane, and drops it where nothing needs it any more.
func (l *lanes) release(secret types.NamespacedName, lane *lane) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	lane.busy.Unlock()
	if lane.users == 0 && !lane.holdsRotation() {
		delete(l.lanes, secret)
	}
}

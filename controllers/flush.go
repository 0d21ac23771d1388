package controllers

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/internal/loginrefresh"
)

// orphanPoll is how often rotations are written back that no LoginSession asks
// for any more.
const orphanPoll = 10 * time.Second

// FlushOrphans writes back the rotations of login caches that no LoginSession
// names any more, until ctx is done. The session is a person's, whatever becomes
// of the LoginSession.
func (r *LoginSessionReconciler) FlushOrphans(ctx context.Context) error {
	ticker := time.NewTicker(orphanPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.flush(ctx, func(l *lane) bool { return l.users == 0 })
		}
	}
}

// Flush tries once more to write back every rotation that exists in this process
// only; for the end of the process. Each write is fenced by the resourceVersion.
func (r *LoginSessionReconciler) Flush(ctx context.Context) {
	r.flush(ctx, func(*lane) bool { return true })
}

func (r *LoginSessionReconciler) flush(ctx context.Context, wanted func(*lane) bool) {
	for secret, lane := range r.lanes.take(wanted) {
		for key, cache := range lane.caches {
			if cache.pending != nil {
				r.flushOne(ctx, secret, key, cache)
			}
		}
		r.lanes.release(secret, lane)
	}
}

func (r *LoginSessionReconciler) flushOne(ctx context.Context, name types.NamespacedName, key string, cache *cacheState) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	secret := &corev1.Secret{}
	err := r.Client.Get(ctx, name, secret)
	if err == nil {
		err = r.flushInto(ctx, secret, key, cache)
	}
	if err != nil {
		log.FromContext(ctx).Info("a rotated login cache is still to be written back", "secret", name, "reason", brief(err))
	}
	if client.IgnoreNotFound(err) == nil {
		cache.pending = nil // written, or nothing is left to write it to
	}
}

// flushInto writes the pending rotation unless the Secret holds another state of
// the session than the one it was made from.
func (r *LoginSessionReconciler) flushInto(ctx context.Context, secret *corev1.Secret, key string, cache *cacheState) error {
	stored, err := loginrefresh.Parse(secret.Data[key])
	if err != nil {
		return nil // theirs wins, whatever it is
	}
	rotated, err := cache.pending.onto(stored)
	if err != nil || rotated == nil {
		return err
	}
	return r.writeRotation(ctx, secret, key, rotated, cache.pending)
}

// take enters the wanted lanes that hold a rotation and are free.
func (l *lanes) take(wanted func(*lane) bool) map[types.NamespacedName]*lane {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	taken := map[types.NamespacedName]*lane{}
	for secret, lane := range l.lanes {
		if !wanted(lane) || !lane.busy.TryLock() {
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

// release leaves a lane, and drops it where nothing needs it any more.
func (l *lanes) release(secret types.NamespacedName, lane *lane) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	lane.busy.Unlock()
	if lane.users == 0 && !lane.holdsRotation() {
		delete(l.lanes, secret)
	}
}

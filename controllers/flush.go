package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"awslogin.dev/operator/internal/loginrefresh"
)

// flushPeriod is how often rotations are written back whose write has failed.
const flushPeriod = 5 * time.Second

// flushTimeout is less than the time there is at the end of the process.
const flushTimeout = 8 * time.Second

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
// and that no reconcile is at work on. Each write is fenced by the resourceVersion,
// and none waits for another.
func (r *LoginSessionReconciler) Flush(ctx context.Context) {
	var writing sync.WaitGroup
	for secret, lane := range r.lanes.takePending() {
		writing.Go(func() {
			defer r.lanes.exit(secret, lane)
			r.flushLane(ctx, secret, lane)
		})
	}
	writing.Wait()
}

func (r *LoginSessionReconciler) flushLane(ctx context.Context, name types.NamespacedName, lane *lane) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	for _, cache := range lane.caches {
		if cache.pending == nil {
			continue
		}
		err := r.flushOne(ctx, name, cache)
		nowhere := apierrors.IsNotFound(err) || errors.As(err, new(*loginrefresh.CacheError))
		if err == nil || (nowhere && r.lanes.isOrphan(lane)) {
			cache.pending = nil // written, or nobody expects a login cache there any more
			continue
		}
		log.FromContext(ctx).Info("a rotated login cache is still to be written back", "secret", name, "reason", brief(err))
	}
}

// flushOne writes a pending rotation unless the Secret holds another state of the
// session than the one that was spent. What cannot be read is no state: it may yet
// be replaced by the old one.
func (r *LoginSessionReconciler) flushOne(ctx context.Context, name types.NamespacedName, cache *cacheState) error {
	secret := &corev1.Secret{}
	if err := r.Client.Get(ctx, name, secret); err != nil {
		return err
	}
	key := keyOfPending(secret, cache.key, cache.pending)
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

// keyOfPending is where the Secret has the login cache of a pending rotation: at
// its key, or, where it has no such key any more, at the one with the spent state,
// else at any that has a login.
func keyOfPending(secret *corev1.Secret, key string, pending *pendingRotation) string {
	if _, ok := secret.Data[key]; ok {
		return key
	}
	for other, data := range secret.Data {
		login, err := loginrefresh.Parse(data)
		if err != nil {
			continue
		}
		if key = other; login.Fingerprint() == pending.spent {
			break
		}
	}
	return key
}

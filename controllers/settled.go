package controllers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"awslogin.dev/operator/api/v1alpha1"
)

// Every write of a rotation wakes the LoginSession once more, by the watches that
// tell of other people's. To find that nothing is to be done then costs no request:
// what the watches have told is compared with what was last acted on.

// settled is the state in which a reconcile left nothing to do.
type settled struct {
	inputs string    // a digest of all that it depended on
	until  time.Time // when time alone makes something due; zero where it does not
}

// isSettled says whether nothing has changed and nothing is due, and how long it is
// until then. A watch that lags behind tells of an older state, and then everything
// is read; or it tells of the newer one later, and wakes the LoginSession again.
func (r *LoginSessionReconciler) isSettled(ctx context.Context, session *v1alpha1.LoginSession, known *settled) (time.Duration, bool) {
	if known == nil {
		return 0, false
	}
	sharers, err := r.sharers(ctx, session)
	if err != nil || known.inputs != inputs(session, sharing(sharers), r.watched(ctx, cacheOf(session)), r.watched(ctx, targetOf(session))) {
		return 0, false
	}
	if known.until.IsZero() {
		return 0, true
	}
	wait := known.until.Sub(r.Clock.Now())
	return wait, wait > 0
}

// settle takes note that an attempt left nothing to do, for the LoginSession as it was
// acted on, before it wakes up.
func settle(a *attempt, acted *v1alpha1.LoginSession, t *trouble) {
	a.memory.settled = nil
	if t == nil && a.memory.unreported == nil && a.memory.unheard == nil && a.target != nil && a.state.pending == nil {
		a.memory.settled = &settled{inputs(acted, a.sharing, versionOf(a.secret), versionOf(a.target)), a.wakeAt}
	}
}

// inputs are what the outcome of a reconcile depends on, but for time and AWS.
func inputs(session *v1alpha1.LoginSession, sharing, cache, target string) string {
	return digest(session.Generation, requestedAt(session), sharing, cache, target)
}

// sharing tells one state of those that share a login cache from another.
func sharing(sharers []v1alpha1.LoginSession) string {
	var parts []any
	for _, sharer := range slices.SortedFunc(slices.Values(sharers), func(a, b v1alpha1.LoginSession) int { return cmp.Compare(a.Name, b.Name) }) {
		parts = append(parts, sharer.UID, sharer.Generation, sharer.DeletionTimestamp)
	}
	return digest(parts...)
}

// watched is the version of a Secret that the watch has told of last, and unknown
// where there is none.
func (r *LoginSessionReconciler) watched(ctx context.Context, name types.NamespacedName) string {
	metadata := secretMetadata()
	if r.Watched.Get(ctx, name, metadata) != nil {
		return "none"
	}
	return versionOf(metadata)
}

func versionOf(object metav1.Object) string {
	return string(object.GetUID()) + "/" + object.GetResourceVersion()
}

// leftTarget is a target that this process has written or found as it should be, but
// for its data.
type leftTarget struct {
	version    string // as the watch tells of it
	metadata   []byte // as protobuf, which takes a third of the memory
	contents   string // a digest of the data
	generation int64  // of the LoginSession that it was right for
}

func leave(target *corev1.Secret, generation int64) *leftTarget {
	metadata := target.ObjectMeta
	metadata.ManagedFields = nil // an update without them leaves them as they are
	encoded, err := metadata.Marshal()
	if err != nil { // then it is read anew the next time
		return nil
	}
	return &leftTarget{versionOf(target), encoded, contentsOf(target.Data), generation}
}

// secret is good for an update, which is fenced by its resourceVersion.
func (l *leftTarget) secret() *corev1.Secret {
	secret := &corev1.Secret{Type: corev1.SecretTypeOpaque}
	_ = secret.ObjectMeta.Unmarshal(l.metadata) // what leave has encoded
	return secret
}

func contentsOf(files map[string][]byte) string {
	sum := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(files)) {
		_, _ = fmt.Fprintf(sum, "%s %d ", key, len(files[key])) // a key of a Secret has no space
		sum.Write(files[key])
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

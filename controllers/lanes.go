package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"awslogin.dev/operator/internal/loginrefresh"
)

// lanes keeps rotations of one login cache one after the other, however many
// LoginSessions share it. What it remembers saves requests; a restart loses
// nothing but a rotation that is not written back yet.
type lanes struct {
	mutex    sync.Mutex
	lanes    map[types.NamespacedName]*lane   // by login cache Secret
	sessions map[types.NamespacedName]*memory // by LoginSession
}

// lane is the right to work on one login cache Secret, and what is known of the
// login caches in it. It belongs to whoever entered it.
type lane struct {
	busy sync.Mutex
	// users counts the LoginSessions; guarded by lanes.mutex.
	users  int
	caches map[string]*cacheState // by key of the Secret
}

// cacheState is what is known of one login cache.
type cacheState struct {
	// askedAt is when AWS was last asked to refresh.
	askedAt time.Time
	// failure is the last of a row of failures at the state of the session that
	// failedAt is the fingerprint of.
	failure  *loginrefresh.Failure
	failedAt string
	// message of the last failure.
	message string
	// pending is a rotation that is not in the Secret yet.
	pending *pendingRotation
	// caller is who STS, or else the idToken, says is signed in with the DPoP
	// key that has this thumbprint.
	caller     loginrefresh.Identity
	confirmed  bool
	thumbprint string
}

// cache is what is known of the login cache at a key of the lane's Secret.
func (l *lane) cache(key string) *cacheState {
	if l.caches == nil {
		l.caches = map[string]*cacheState{}
	}
	if l.caches[key] == nil {
		l.caches[key] = &cacheState{}
	}
	return l.caches[key]
}

// holdsRotation says whether a rotation exists in this process only.
func (l *lane) holdsRotation() bool {
	for _, cache := range l.caches {
		if cache.pending != nil {
			return true
		}
	}
	return false
}

// pendingRotation is a login that AWS has rotated and that the Secret does not
// hold yet: the only thing in this process that must not be lost.
type pendingRotation struct {
	spent    string // fingerprint of the login before
	rotation *loginrefresh.Rotation
	failures *loginrefresh.Failure // of writing it back
}

// memory is what is remembered of one LoginSession.
type memory struct {
	cache types.NamespacedName
	// statusHash is of the status written last: the cache may show an older one.
	statusHash uint64
	// unpublished counts failures in a row to write the target.
	unpublished *loginrefresh.Failure
}

// enter takes the lane of a login cache for a LoginSession, unless it is taken.
func (l *lanes) enter(session, cache types.NamespacedName) (*lane, *memory, bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if known := l.sessions[session]; known == nil || known.cache != cache {
		l.forget(session)
		l.remember(session, cache)
	}
	lane := l.lanes[cache]
	return lane, l.sessions[session], lane.busy.TryLock()
}

func (l *lane) exit() { l.busy.Unlock() }

// leave forgets a LoginSession that is gone.
func (l *lanes) leave(session types.NamespacedName) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.forget(session)
}

func (l *lanes) remember(session, cache types.NamespacedName) {
	if l.lanes == nil {
		l.lanes = map[types.NamespacedName]*lane{}
		l.sessions = map[types.NamespacedName]*memory{}
	}
	if l.lanes[cache] == nil {
		l.lanes[cache] = &lane{}
	}
	l.lanes[cache].users++
	l.sessions[session] = &memory{cache: cache}
}

// forget drops the session, and the lane after its last one. A rotation that is
// still pending keeps the lane: a LoginSession may yet come back for it.
func (l *lanes) forget(session types.NamespacedName) {
	known := l.sessions[session]
	if known == nil {
		return
	}
	delete(l.sessions, session)
	lane := l.lanes[known.cache]
	lane.users--
	if lane.users == 0 && lane.busy.TryLock() {
		if !lane.holdsRotation() {
			delete(l.lanes, known.cache)
		}
		lane.busy.Unlock()
	}
}

// fail records a failed refresh of the given state of the session.
func (c *cacheState) fail(fingerprint string, err *loginrefresh.RefreshError, at time.Time) {
	c.failure = c.failureOf(fingerprint).Then(err, at)
	c.failedAt = fingerprint
	c.message = err.Error()
}

// failureOf is the last failure at this very state of the session, nil after any
// success or new login.
func (c *cacheState) failureOf(fingerprint string) *loginrefresh.Failure {
	if c.failedAt != fingerprint {
		return nil
	}
	return c.failure
}

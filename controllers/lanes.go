package controllers

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

// lanes keeps rotations of one login cache one after the other, however many
// LoginSessions share it. What it remembers saves requests; a restart loses
// nothing but a rotation that is not written back yet.
type lanes struct {
	mutex    sync.Mutex
	lanes    map[types.NamespacedName]*lane   // by login cache Secret
	sessions map[types.NamespacedName]*memory // by LoginSession
	term     int64                            // in which all but the rotations was learned
	limiter  *rate.Limiter                    // of requests to AWS Sign-In; its permits end with the term
}

// lane is the right to work on one login cache Secret, and what is known of the
// login caches in it. It belongs to whoever entered it.
type lane struct {
	busy sync.Mutex
	// users counts the LoginSessions; guarded by lanes.mutex.
	users  int
	term   int64         // in which caches were learned
	caches []*cacheState // mostly one
}

// cacheState is what is known of one login cache.
type cacheState struct {
	// key of the Secret.
	key string
	// askedAt is when AWS was last asked to refresh.
	askedAt time.Time
	// permitAt is from when AWS may be asked next; zero where no permit is had.
	permitAt time.Time
	// failure is the last of a row of failures at the state of the session that
	// failedAt is the fingerprint of.
	failure  *loginrefresh.Failure
	failedAt string
	// failedIn is the region of the last failure, message its text.
	failedIn, message string
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
	for _, cache := range l.caches {
		if cache.key == key {
			return cache
		}
	}
	cache := &cacheState{key: key}
	l.caches = append(l.caches, cache)
	return cache
}

// adopt moves a rotation of this very state of a session to the key at which the
// Secret has it now.
func (l *lane) adopt(key, fingerprint string) {
	for _, cache := range l.caches {
		if cache.key != key && cache.pending != nil && cache.pending.spent == fingerprint {
			l.cache(key).pending, cache.pending = cache.pending, nil
		}
	}
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

// onto is the login after the rotation of a stored one; nil where the Secret
// holds another state of the session than the one that was spent: the rotation
// was written after all, or a person signed in again.
func (p *pendingRotation) onto(stored *loginrefresh.Login) (*loginrefresh.Login, error) {
	if stored.Fingerprint() != p.spent {
		return nil, nil
	}
	rotated, err := stored.Rotate(*p.rotation)
	if err != nil {
		return nil, fmt.Errorf("apply the rotation to the login cache: %w", err)
	}
	return rotated, nil
}

// memory is what is remembered of one LoginSession.
type memory struct {
	uid   types.UID
	cache types.NamespacedName
	// status is the one written last while the operator's own cache shows an older.
	status *v1alpha1.LoginSessionStatus
	// settled is where the last reconcile left nothing to do; nil where it did.
	settled *settled
	// target is how this process has left it; nil where it has not.
	target *leftTarget
	// handled is the refresh request acted on last.
	handled string
	// publishedKey is the thumbprint of the DPoP key of the login that the
	// target's credentials are from.
	publishedKey string
	// role is what is known of the role that it assumes, if it does.
	role roleMemory
	// announced is the publication that announce dealt with last.
	announced string
	// unread, unpublished and unreported count failures in a row to read Secrets,
	// to write the target and to write the status.
	unread, unpublished, unreported *loginrefresh.Failure
	// unasked and unheard count those to ask for the right to write, and to see
	// whether a refresh request is new.
	unasked, unheard *loginrefresh.Failure
	// unidentified counts those to find out, for a guard, who is signed in.
	unidentified *loginrefresh.Failure
}

// catchUp shows the status written last while the cache lags behind. The operator
// alone writes it.
func (m *memory) catchUp(session *v1alpha1.LoginSession) {
	switch {
	case m.status == nil:
	case equality.Semantic.DeepEqual(session.Status, *m.status):
		m.status = nil
	default:
		session.Status = *m.status.DeepCopy()
	}
}

// enter takes the lane of a LoginSession's login cache, unless it is taken or the
// term is over.
func (l *lanes) enter(session *v1alpha1.LoginSession, term int64) (*lane, *memory, bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if term > l.term {
		l.begin(term)
	}
	if term < l.term {
		return nil, nil, false
	}
	name, cache := client.ObjectKeyFromObject(session), cacheOf(session)
	known := l.sessions[name]
	if known == nil || known.uid != session.UID {
		l.forget(name)
		known = &memory{uid: session.UID}
	}
	if known.cache != cache {
		l.forget(name)
		known.cache = cache
		l.remember(name, known)
	}
	lane := l.lanes[cache]
	if !lane.busy.TryLock() {
		return nil, nil, false
	}
	lane.renew(term)
	return lane, known, true
}

// begin forgets, in a new term, what another replica may have changed since: all
// but the rotations. Lanes in which the last term's work goes on stay until it ends.
func (l *lanes) begin(term int64) {
	l.term, l.limiter = term, nil
	clear(l.sessions)
	for cache, lane := range l.lanes {
		lane.users = 0
		l.drop(cache, lane)
	}
}

// renew forgets what was learned in another term.
func (l *lane) renew(term int64) {
	if l.term == term {
		return
	}
	l.term = term
	for i, cache := range l.caches {
		l.caches[i] = &cacheState{key: cache.key, pending: cache.pending}
	}
}

// exit ends the work on a lane.
func (l *lanes) exit(cache types.NamespacedName, lane *lane) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	lane.busy.Unlock()
	l.drop(cache, lane)
}

// drop forgets a lane that nothing needs any more: not one that is at work, nor one
// with a rotation, which Flush writes back.
func (l *lanes) drop(cache types.NamespacedName, lane *lane) {
	if lane.users > 0 || l.lanes[cache] != lane || !lane.busy.TryLock() {
		return
	}
	defer lane.busy.Unlock()
	if !lane.holdsRotation() {
		delete(l.lanes, cache)
	}
}

// leave forgets a LoginSession that is gone.
func (l *lanes) leave(session types.NamespacedName) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.forget(session)
}

// takePending enters the lanes that hold a rotation and are free.
func (l *lanes) takePending() map[types.NamespacedName]*lane {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	taken := map[types.NamespacedName]*lane{}
	for cache, lane := range l.lanes {
		if !lane.busy.TryLock() {
			continue
		}
		if !lane.holdsRotation() {
			lane.busy.Unlock()
			continue
		}
		taken[cache] = lane
	}
	return taken
}

// holdRotation says whether a lane that is free holds a rotation.
func (l *lanes) holdRotation() bool {
	taken := l.takePending()
	for cache, lane := range taken {
		l.exit(cache, lane)
	}
	return len(taken) > 0
}

func (l *lanes) isOrphan(lane *lane) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return lane.users == 0
}

// permit is a turn among all login caches, whose limit the template is.
func (l *lanes) permit(template *rate.Limiter, now func() time.Time) time.Time {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.limiter == nil {
		l.limiter = rate.NewLimiter(template.Limit(), template.Burst())
	}
	at := now() // never before that of an earlier turn, which would count twice
	return at.Add(l.limiter.ReserveN(at, 1).DelayFrom(at))
}

func (l *lanes) remember(session types.NamespacedName, known *memory) {
	if l.lanes == nil {
		l.lanes = map[types.NamespacedName]*lane{}
		l.sessions = map[types.NamespacedName]*memory{}
	}
	if l.lanes[known.cache] == nil {
		l.lanes[known.cache] = &lane{}
	}
	l.lanes[known.cache].users++
	l.sessions[session] = known
}

// forget drops the session, and the lane after its last one.
func (l *lanes) forget(session types.NamespacedName) {
	known := l.sessions[session]
	if known == nil {
		return
	}
	delete(l.sessions, session)
	lane := l.lanes[known.cache]
	lane.users--
	l.drop(known.cache, lane)
}

// fail records a failed refresh of the given state of the session.
func (c *cacheState) fail(fingerprint, region string, err *loginrefresh.ServiceError, at time.Time) {
	c.failure = c.failureOf(fingerprint).Then(err, at)
	c.failedAt, c.failedIn = fingerprint, region
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

// forgiveRegion forgets a rejection in another region than the one to try now.
func (c *cacheState) forgiveRegion(region string) {
	if c.failure != nil && c.failure.Outcome == loginrefresh.Rejected && c.failedIn != "" && c.failedIn != region {
		c.failure, c.failedAt = nil, ""
	}
}

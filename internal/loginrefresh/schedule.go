package loginrefresh

import (
	"fmt"
	"hash/fnv"
	"math"
	"time"
)

const (
	// SlowPoll is the wait between attempts where only a change outside
	// Kubernetes can help.
	SlowPoll = 10 * time.Minute
	// Floor is the least time between two requests for one login cache.
	Floor = time.Second

	maxJitter = 30 * time.Second
	// longBefore is how early credentials are replaced that live long enough: boto3
	// reads its source again at every call in the last 15 minutes of their life, and
	// a new Secret reaches a pod within two.
	longBefore = 20 * time.Minute
	// clockTolerance is how much later than their life from now credentials may
	// claim to expire before the claim is taken for a wrong clock's.
	clockTolerance = time.Minute
	// overdueLeft is where AWS SDKs begin to refresh by themselves.
	overdueLeft = 5 * time.Minute
)

// Schedule says when one LoginSession replaces credentials: refreshes its login
// cache, or assumes its role again. Its results are pure functions of its fields.
type Schedule struct {
	ExpiresAt time.Time
	// Lifetime that AWS gave the credentials.
	Lifetime time.Duration
	// RefreshBefore is the life left at which to refresh.
	RefreshBefore time.Duration
	// Seed spreads the due times of many sessions; a UID.
	Seed string
}

// DueAt is when to refresh: early enough to leave workloads the promised life,
// late enough to use what AWS gave. Jitter only ever makes it earlier.
func (s Schedule) DueAt() time.Time {
	before := min(s.RefreshBefore, s.Lifetime*2/3)
	if s.Lifetime > MaxLifetime {
		before = max(before, min(longBefore, s.Lifetime/3))
	}
	jitter := time.Duration(s.fraction("due") * float64(min(maxJitter, s.Lifetime/30)))
	return s.ExpiresAt.Add(-before - jitter)
}

// OverdueAt is from when the credentials have too little life left.
func (s Schedule) OverdueAt() time.Time {
	return s.ExpiresAt.Add(-min(overdueLeft, s.Lifetime/3))
}

// Publishable says whether the credentials may be handed to a workload that does
// not have them yet: not when they are about to expire, nor when they claim to
// live longer than they can, for then workloads would use them for too long.
func (s Schedule) Publishable(now time.Time) bool {
	return now.Before(s.ExpiresAt.Add(-min(time.Minute, s.Lifetime/15))) && !s.implausible(now)
}

// Outlives says whether these credentials live longer than others of the same
// login, and do not just claim to.
func (s Schedule) Outlives(expiresAt, now time.Time) bool {
	return s.ExpiresAt.After(expiresAt) && !s.implausible(now)
}

// implausible says whether the expiry is a wrong clock's.
func (s Schedule) implausible(now time.Time) bool {
	return s.ExpiresAt.After(now.Add(max(MaxLifetime, s.Lifetime) + clockTolerance))
}

// fraction is a number in [0, 1) that depends on the seed and the purpose only.
func (s Schedule) fraction(purpose string) float64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(s.Seed + "/" + purpose))
	return float64(hash.Sum64()>>11) / (1 << 53)
}

// Failure is the last of a row of failed attempts at one state of a session.
type Failure struct {
	Outcome Outcome
	Count   int
	At      time.Time
	// RetryAfter is what AWS asked for, zero where it did not.
	RetryAfter time.Duration
}

// Then is the failure after this one, which may be nil.
func (f *Failure) Then(err *ServiceError, at time.Time) *Failure {
	next := &Failure{Outcome: err.Outcome, Count: 1, At: at, RetryAfter: err.RetryAfter}
	if f != nil {
		next.Count += f.Count
	}
	return next
}

// RetryAt is when to try again after a failure; the zero time means not before
// the login cache changes. Waits start at Floor, double, and vary by 20 % so
// that sessions that failed together do not return together.
func (s Schedule) RetryAt(f Failure) time.Time {
	switch f.Outcome {
	case SessionOver:
		return time.Time{}
	case Denied:
		return f.At.Add(SlowPoll)
	}
	longest := s.Lifetime / 20
	if f.Outcome == Rejected {
		longest = min(s.Lifetime/5, SlowPoll)
	}
	wait := min(float64(longest), float64(Floor)*math.Exp2(float64(f.Count-1)))
	wait *= 0.8 + 0.4*s.fraction(fmt.Sprint("retry ", f.Count))
	asked := min(f.RetryAfter, s.Lifetime/5)
	return f.At.Add(max(Floor, asked, time.Duration(wait)))
}

// Decision is what to do about a login cache now, and why.
type Decision struct {
	Refresh bool
	// At is when to decide again if nothing else happens; zero means not before
	// the login cache changes.
	At     time.Time
	Reason string
}

// Decide says whether to refresh now. failure is the last failure at this state
// of the session, nil where there is none; requested means that a person asked
// for a refresh, which overrides every wait but not the end of a session.
func (s Schedule) Decide(now time.Time, failure *Failure, requested bool) Decision {
	switch {
	case failure != nil && failure.Outcome == SessionOver:
		return Decision{Reason: "the session is over"}
	case requested:
		return Decision{Refresh: true, Reason: "a refresh was requested"}
	case failure != nil && now.Before(s.RetryAt(*failure)) && !now.Before(failure.At): // else the clock went back
		return Decision{At: s.RetryAt(*failure), Reason: "waiting to try again"}
	case s.implausible(now):
		return Decision{Refresh: true, Reason: "the credentials claim to live longer than AWS lets them"}
	case now.Before(s.DueAt()):
		return Decision{At: s.DueAt(), Reason: "not due yet"}
	}
	return Decision{Refresh: true, Reason: "due"}
}

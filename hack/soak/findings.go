package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"awslogin.dev/operator/hack/show"
)

// findings are what the readers found. Violations that go on are counted at each
// read, and kept once.
type findings struct {
	mu sync.Mutex
	figures
	leftWhenReplaced []time.Duration
	kept             []*violation
	open             map[string]time.Time // when a target was last seen to break its promise
}

// figures count reads of targets, and calls of AWS STS with what they held.
type figures struct {
	reads, short, expired, wrong int
	worst                        time.Duration // the least life left that was read
	calls, refused               int
}

// violation is one broken promise.
type violation struct {
	at     time.Duration // since the start
	who    string
	what   string
	during string // which fault was active
}

func (v *violation) String() string {
	return fmt.Sprintf("%6.1fs  %s %s (%s)", v.at.Seconds(), v.who, v.what, v.during)
}

func (k *soak) violation(who, what string) *violation {
	return &violation{at: time.Since(k.Begun), who: who, what: what, during: k.trouble.describe()}
}

const keptViolations = 1000

func (f *findings) add(v *violation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keep(v)
}

// keep needs the mutex.
func (f *findings) keep(v *violation) {
	if f.open == nil {
		f.open = map[string]time.Time{}
	}
	goesOn := time.Since(f.open[v.who]) < 4*readPeriod
	f.open[v.who] = time.Now()
	if !goesOn && len(f.kept) < keptViolations {
		f.kept = append(f.kept, v)
	}
}

// readable counts a read of credentials; broken is nil where they live long enough.
func (f *findings) readable(left time.Duration, broken *violation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reads == 0 || left < f.worst {
		f.worst = left
	}
	f.reads++
	if broken == nil {
		return
	}
	f.keep(broken)
	f.short++
	if left <= 0 {
		f.expired++
	}
}

func (f *findings) unreadable(v *violation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	f.wrong++
	f.keep(v)
}

// asked counts a call of AWS STS; broken is nil where the answer was right.
func (f *findings) asked(broken *violation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if broken != nil {
		f.refused++
		f.keep(broken)
	}
}

// published takes note of the life that credentials still had when they were replaced.
func (f *findings) published(left time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leftWhenReplaced = append(f.leftWhenReplaced, left)
}

// quantile of the life left on replaced credentials.
func (f *findings) quantile(q float64) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.leftWhenReplaced) == 0 {
		return 0
	}
	return show.Quantile(f.leftWhenReplaced, q)
}

func (f *findings) soFar() (counts figures, broken []*violation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.figures, slices.Clone(f.kept)
}

// measured is what the report is about: from when all were ready until the
// operators were stopped.
type measured struct {
	on            atomic.Bool
	begun, ended  time.Time
	rotatedBefore int
	requestBefore int
	rotated       int
	requests      int
	replayed      int
	leaders       int32 // changes of leader
}

func (k *soak) measuring() bool { return k.measured.on.Load() }

func (k *soak) beginMeasuring() {
	stats := k.aws.Stats()
	k.measured.begun, k.measured.rotatedBefore, k.measured.requestBefore = time.Now(), stats.Rotated, stats.Requests
	k.measured.on.Store(true)
}

func (k *soak) stopMeasuring() {
	k.measured.on.Store(false)
	stats := k.aws.Stats()
	k.measured.ended = time.Now()
	k.measured.rotated = stats.Rotated - k.measured.rotatedBefore
	k.measured.requests = stats.Requests - k.measured.requestBefore
	k.measured.replayed = stats.Replayed
}

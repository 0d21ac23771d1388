// Package lease makes one of several replicas work at a time, as controller-runtime's
// leader election does, but survives the loss of the lease: a process that could
// not renew it, for an outage of the API server, may hold the only copy of what AWS
// rotated. So it stays, works on nothing, and contends for the lease again.
package lease

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	crleaderelection "sigs.k8s.io/controller-runtime/pkg/leaderelection"
	"sigs.k8s.io/controller-runtime/pkg/recorder"
)

// Options name a lease and its times.
type Options struct {
	// Namespace of the lease; by default the one that the process runs in.
	Namespace string
	Name      string
	// Labels of the lease, by which it is found when nobody contends for it any more.
	Labels map[string]string
	// Duration is how long the others wait for a holder that has gone silent.
	Duration time.Duration
	// RenewDeadline is how long the holder works without having renewed. It is
	// less than Duration: then two never work at once.
	RenewDeadline time.Duration
	// RetryPeriod is the wait between tries to get or renew the lease.
	RetryPeriod time.Duration
}

// Lease is this process's part in the contention for a lease.
type Lease struct {
	lock   *timedLock
	config leaderelection.LeaderElectionConfig
	gained func(context.Context)
	latest atomic.Pointer[term]
}

// term is one tenure, or the wait for it.
type term struct {
	number  int64
	begun   atomic.Bool
	doubted atomic.Bool // since gained was called last
	elector *leaderelection.LeaderElector
}

// New checks the options. gained is called whenever a term begins, and when it
// proves to go on after Term was 0 for a while.
func New(config *rest.Config, events recorder.Provider, options Options, gained func(context.Context)) (*Lease, error) {
	lock, err := crleaderelection.NewResourceLock(config, events, crleaderelection.Options{
		LeaderElection:          true,
		LeaderElectionNamespace: options.Namespace,
		LeaderElectionID:        options.Name,
		LeaderLabels:            options.Labels,
		RenewDeadline:           options.RenewDeadline,
	})
	if err != nil {
		return nil, fmt.Errorf("name the lease: %w", err)
	}
	return newLease(lock, options, gained)
}

func newLease(lock resourcelock.Interface, options Options, gained func(context.Context)) (*Lease, error) {
	timed := &timedLock{Interface: lock}
	l := &Lease{lock: timed, gained: gained, config: leaderelection.LeaderElectionConfig{
		Lock:            timed,
		Name:            options.Name,
		LeaseDuration:   options.Duration,
		RenewDeadline:   options.RenewDeadline,
		RetryPeriod:     options.RetryPeriod,
		ReleaseOnCancel: true,
	}}
	return l, l.prepare(1)
}

// prepare makes ready for the term of this number.
func (l *Lease) prepare(number int64) error {
	next := &term{number: number}
	config := l.config
	config.Callbacks = leaderelection.LeaderCallbacks{
		OnStartedLeading: func(ctx context.Context) { l.lead(ctx, next) },
		OnStoppedLeading: func() {},
	}
	var err error
	if next.elector, err = leaderelection.NewLeaderElector(config); err != nil {
		return fmt.Errorf("contend for the lease: %w", err)
	}
	l.latest.Store(next)
	return nil
}

// lead lasts as long as the term.
func (l *Lease) lead(ctx context.Context, current *term) {
	current.doubted.Store(true)
	current.begun.Store(true)
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if l.Term() != 0 && current.doubted.CompareAndSwap(true, false) {
			l.gained(ctx)
		}
	}, l.config.RetryPeriod)
}

// Run contends for the lease until ctx is done, and gives it up then.
func (l *Lease) Run(ctx context.Context) {
	for ctx.Err() == nil {
		current := l.latest.Load()
		current.elector.Run(ctx)
		_ = l.prepare(current.number + 1) // with the options that New has checked
	}
}

// Term is the number of the term that this process is in, and 0 while another
// may hold the lease. Nobody needs to have noticed that the lease was lost: a
// process that was stopped for long and goes on is in no term.
func (l *Lease) Term() int64 {
	current := l.latest.Load()
	longest := l.config.RetryPeriod + l.config.RenewDeadline // from one renewal to the next
	if !current.begun.Load() || !current.elector.IsLeader() || l.lock.sinceRenewal() > longest {
		current.doubted.Store(true)
		return 0
	}
	return current.number
}

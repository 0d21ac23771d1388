package lease

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// timedLock knows since when others may have counted the lease's duration: since
// before a renewal was sent. When its reply was seen may be much later, in a process
// that was stopped meanwhile.
type timedLock struct {
	resourcelock.Interface
	renewedAt atomic.Pointer[time.Time]
	holder    atomic.Pointer[string] // as seen last
}

func (l *timedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil {
		l.holder.Store(&record.HolderIdentity)
	}
	return record, raw, err
}

func (l *timedLock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	sentAt := time.Now()
	return l.note(record, sentAt, l.Interface.Create(ctx, record))
}

// Update refuses to give up what somebody else holds: the elector may not have seen
// yet that it lost the lease.
func (l *timedLock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if seen := l.holder.Load(); record.HolderIdentity == "" && seen != nil && *seen != l.Identity() {
		return errors.New("somebody else holds the lease")
	}
	sentAt := time.Now()
	return l.note(record, sentAt, l.Interface.Update(ctx, record))
}

func (l *timedLock) note(record resourcelock.LeaderElectionRecord, sentAt time.Time, err error) error {
	if err == nil && record.HolderIdentity == l.Identity() {
		l.renewedAt.Store(&sentAt)
		l.holder.Store(&record.HolderIdentity)
	}
	return err
}

func (l *timedLock) sinceRenewal() time.Duration {
	if renewed := l.renewedAt.Load(); renewed != nil {
		return time.Since(*renewed)
	}
	return 1<<63 - 1
}

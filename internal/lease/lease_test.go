package lease

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"awslogin.dev/operator/internal/controlplane"
)

var config *rest.Config

func TestMain(m *testing.M) {
	environment, err := controlplane.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lease suite:", err)
		os.Exit(1)
	}
	config = environment.Config
	code := m.Run()
	_ = environment.Stop()
	os.Exit(code)
}

// door is a lock in a real API server that can be held shut.
type door struct {
	resourcelock.Interface
	shut  atomic.Bool
	slow  atomic.Int64                                      // how long replies to renewals take, in nanoseconds
	found atomic.Pointer[resourcelock.LeaderElectionRecord] // what is read instead
}

var errShut = errors.New("the door is shut")

func (d *door) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if d.shut.Load() {
		return nil, nil, errShut
	}
	record, raw, err := d.Interface.Get(ctx)
	if other := d.found.Load(); other != nil {
		return other, []byte("another"), err
	}
	return record, raw, err
}

func (d *door) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if d.shut.Load() {
		return errShut
	}
	err := d.Interface.Update(ctx, record)
	time.Sleep(time.Duration(d.slow.Load()))
	return err
}

// contender is a replica that takes part under the test's name.
type contender struct {
	*Lease
	door   *door
	gained atomic.Int64
	leave  func()
}

func contend(t *testing.T, identity string) *contender {
	t.Helper()
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, "default", "of-"+strings.ToLower(t.Name()),
		clients.CoreV1(), clients.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: identity})
	if err != nil {
		t.Fatal(err)
	}
	c := &contender{door: &door{Interface: lock}}
	c.Lease, err = newLease(c.door, Options{Name: "x", Duration: 3 * time.Second, RenewDeadline: 1500 * time.Millisecond, RetryPeriod: 200 * time.Millisecond},
		func(context.Context) { c.gained.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { c.Run(ctx); close(ended) }()
	c.leave = func() { cancel(); <-ended }
	t.Cleanup(c.leave)
	return c
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

func TestOneOfTwoIsInATerm(t *testing.T) {
	first := contend(t, "first")
	await(t, "the first gains the lease", func() bool { return first.Term() == 1 && first.gained.Load() == 1 })
	second := contend(t, "second")
	await(t, "the second knows who holds it", func() bool { return second.latest.Load().elector.GetLeader() == "first" })
	if second.Term() != 0 || second.gained.Load() != 0 {
		t.Error("both are in a term")
	}
	first.leave()
	if first.Term() != 0 {
		t.Error("who gave the lease up is still in a term")
	}
	await(t, "the second gains it", func() bool { return second.Term() == 1 && second.gained.Load() == 1 })
}

func TestLeaseThatWasLostIsGainedAgain(t *testing.T) {
	c := contend(t, "only")
	await(t, "it gains the lease", func() bool { return c.Term() == 1 })
	c.door.shut.Store(true)
	await(t, "it is in no term", func() bool { return c.Term() == 0 })
	c.door.shut.Store(false)
	await(t, "it gains the lease again", func() bool { return c.Term() > 1 && c.gained.Load() >= 2 })
}

// TestTermThatWasDoubtedGoesOn: whoever asked in the meantime was told that there
// is nothing to do.
func TestTermThatWasDoubtedGoesOn(t *testing.T) {
	c := contend(t, "only")
	await(t, "it gains the lease", func() bool { return c.gained.Load() == 1 })
	c.latest.Load().doubted.Store(true) // as Term does that is asked while a renewal is late
	await(t, "it is told that the term goes on", func() bool { return c.Term() == 1 && c.gained.Load() >= 2 })
}

// TestRenewalCountsFromWhenItWasSent: its reply may come late, to a process that was
// stopped for example, and others have counted from before.
func TestRenewalCountsFromWhenItWasSent(t *testing.T) {
	c := contend(t, "only")
	await(t, "it gains the lease", func() bool { return c.Term() == 1 })
	late := 2 * time.Second // longer than from one renewal to the next
	c.door.slow.Store(int64(late))
	await(t, "a renewal is under way for so long", func() bool { return c.lock.sinceRenewal() > 1900*time.Millisecond })
	if c.Term() != 0 {
		t.Error("it counts on a renewal whose reply it has not seen")
	}
	before := *c.lock.renewedAt.Load()
	await(t, "the reply comes", func() bool { return *c.lock.renewedAt.Load() != before })
	if c.lock.sinceRenewal() < late-100*time.Millisecond {
		t.Error("the renewal counts from when its reply came")
	}
}

func TestLeaseOfSomebodyElseIsNotGivenUp(t *testing.T) {
	c := contend(t, "only")
	await(t, "it gains the lease", func() bool { return c.Term() == 1 })
	c.door.found.Store(&resourcelock.LeaderElectionRecord{HolderIdentity: "another"})
	if _, _, err := c.lock.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.lock.Update(t.Context(), resourcelock.LeaderElectionRecord{LeaseDurationSeconds: 1}); err == nil {
		t.Error("it was given up")
	}
}

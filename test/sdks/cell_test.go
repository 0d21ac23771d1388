package sdks_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"awslogin.dev/operator/internal/sdktest"
)

const (
	// workers ask one program at the same time.
	workers = 4
	// givenUp is the number of failures in a row after which a program that is not
	// said to work is not asked any more.
	givenUp = 3
)

// cell is a program that reads one format.
type cell struct {
	sdk
	want     verdict
	argv     []string
	faketime string
	pod      *pod

	mu      sync.Mutex
	version string
	calls   int
	failed  int
	row     int    // failures since the last success
	first   string // why the first failed
	begun   int    // the pod's rotations when the first call succeeded
	ended   int    // and when the last was answered
}

func (c *cell) String() string {
	return fmt.Sprintf("%s with %s of %.0f minutes", c.name, c.pod.format, c.pod.world.life.Minutes())
}

// run starts the program as soon as its pod can start, and asks it until it has
// lived through enough rotations or does not work any more.
func (c *cell) run(ctx context.Context) error {
	if err := c.pod.world.mount(ctx, c.pod); err != nil {
		return fmt.Errorf("mount the volume of %s: %w", c, err)
	}
	program, err := c.begin()
	if err != nil {
		return fmt.Errorf("start %s: %w", c, err)
	}
	defer program.Close()
	var asking sync.WaitGroup
	for range c.workers() {
		asking.Go(func() {
			for !c.done() && sleep(ctx, c.pause()) {
				c.count(program.Ask())
			}
		})
	}
	asking.Wait()
	return nil
}

// starting has room for the programs that start at the same time: more would be so
// slow together that what they begin with has expired by then.
var starting = make(chan struct{}, 2)

// begin starts the program, and returns when it has answered once.
func (c *cell) begin() (asker, error) {
	starting <- struct{}{}
	defer func() { <-starting }()
	program, err := c.start()
	if err == nil {
		c.count(program.Ask())
	}
	return program, err
}

// nice leaves the processor to AWS, the operator and the kubelet first, which have
// machines of their own elsewhere.
var nice = []string{"nice", "-n", "5"}

// start starts the program with the pod's variables, in the pod's time.
func (c *cell) start() (asker, error) {
	fixed, err := c.pod.environment(c.variables)
	if err != nil {
		return nil, err
	}
	variables := func() []string {
		return slices.Concat(fixed, c.pod.world.environment(c.faketime))
	}
	if !c.command {
		return sdktest.Start(slices.Concat(nice, c.argv), variables())
	}
	version, err := versionOf(c.argv[0])
	return command{slices.Concat(nice, c.argv, []string{"--endpoint-url", c.pod.aws.URL}), version, variables}, err
}

func (c *cell) workers() int {
	if c.command || c.want != works {
		return 1
	}
	return workers
}

func (c *cell) pause() time.Duration {
	switch {
	case c.command:
		return 2 * time.Second // it takes a large part of a core
	case c.want != works:
		return time.Second
	case !*full:
		return 500 * time.Millisecond // other tests run at the same time
	}
	return 200 * time.Millisecond
}

// count takes note of a call.
func (c *cell) count(identity sdktest.Identity, err error) {
	rotations := c.pod.count()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.version, c.ended = cmp.Or(identity.Version, c.version), rotations
	if err == nil && identity.Arn != c.pod.world.principal {
		err = fmt.Errorf("is %q, not %q", identity.Arn, c.pod.world.principal)
	}
	if err != nil {
		c.failed++
		c.row++
		c.first = cmp.Or(c.first, err.Error())
		return
	}
	c.row = 0
	if c.calls == c.failed+1 {
		c.begun = rotations
	}
}

func (c *cell) done() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lived() >= c.pod.world.rotations || c.want != works && c.row >= givenUp
}

// lived is the number of rotations between the first call that succeeded and the
// last call.
func (c *cell) lived() int {
	if c.calls == c.failed {
		return 0
	}
	return c.ended - c.begun
}

// verdict is what was seen; "" where it is nothing that users are told of.
func (c *cell) verdict() verdict {
	switch {
	case c.calls == c.failed:
		return never
	case c.failed == 0 && c.pod.refused == 0:
		return works
	case c.failed == 0:
		return recovers
	case c.row >= givenUp && len(c.pod.keys) == 1:
		return expires
	}
	return ""
}

// check compares what was seen with what users are told.
func (c *cell) check(t *testing.T) {
	t.Helper()
	w := c.pod.world
	if c.pod.err != nil {
		t.Error(c.pod.err)
	}
	if got := c.verdict(); got != c.want {
		t.Errorf("%q, want %q: %d of %d calls failed, AWS refused %d; the first: %s", got, c.want, c.failed, c.calls, c.pod.refused, c.first)
	}
	if c.want != works {
		return
	}
	if c.lived() < w.rotations {
		t.Errorf("lived through %d rotations, want %d", c.lived(), w.rotations)
	}
	if lives := int((time.Duration(w.rotations)*(w.life-w.replaced) - 2*latest) / w.life); len(c.pod.keys) <= lives {
		t.Errorf("used %d access keys in more than %d of their lives", len(c.pod.keys), lives)
	}
	if c.pod.refreshes != 0 {
		t.Errorf("asked AWS Sign-In %d times", c.pod.refreshes)
	}
	if c.pod.least < promised {
		t.Errorf("%s were left to mounted credentials, promised are %s", c.pod.least, promised)
	}
}

package sdks_test

import (
	"context"
	"fmt"
	"time"
)

// clock runs faster than the machine's by a factor.
type clock struct {
	begun  time.Time
	factor float64
}

func newClock(factor float64) clock { return clock{time.Now(), factor} }

func (c clock) Now() time.Time {
	return c.begun.Add(time.Duration(float64(time.Since(c.begun)) * c.factor))
}

// wait lets a time span go by that is d by this clock. It tells whether it could.
func (c clock) wait(ctx context.Context, d time.Duration) bool {
	return sleep(ctx, time.Duration(float64(d)/c.factor))
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// environment makes a program that is started now live by this clock: what it asks
// libc for the time, and how long it sleeps. libfaketime counts from the start of
// each program.
func (c clock) environment(faketime string) []string {
	if c.factor == 1 {
		return nil
	}
	ahead := time.Until(c.Now()).Seconds()
	return []string{"LD_PRELOAD=" + faketime, fmt.Sprintf("FAKETIME=%+.3f x%g", ahead, c.factor)}
}

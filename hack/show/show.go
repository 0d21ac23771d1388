// Package show is what the programs have in common that people watch: lines with
// the time, one step after the other, and an end that leaves nothing behind.
package show

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

var errInterrupted = errors.New("interrupted")

// Main runs a program and exits as its error says; Ctrl-C ends its context.
func Main(name string, run func(ctx context.Context, args []string) error) {
	err := untilInterrupted(run)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errInterrupted):
		os.Exit(130) // what shells report of a program that Ctrl-C ended
	default:
		fmt.Fprintf(os.Stderr, "%s failed: %v\n", name, err)
		os.Exit(1)
	}
}

// Parse reads a command line that has nothing but flags.
func Parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return nil
}

// CheckOperator says what to do where there is no binary of the operator.
func CheckOperator(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no operator to run, `make build` provides it: %w", err)
	}
	return nil
}

func untilInterrupted(run func(ctx context.Context, args []string) error) error {
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer release()
	err := run(ctx, os.Args[1:])
	if err != nil && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// Show is one run of a program.
type Show struct {
	Begun time.Time
	// Fail ends the show; the first reason counts.
	Fail func(error)

	mu   sync.Mutex
	undo []func() error // what to clean up, last things first
}

// Begin returns a show, and the context in which it runs.
func Begin(parent context.Context) (*Show, context.Context) {
	ctx, fail := context.WithCancelCause(parent)
	return &Show{Begun: time.Now(), Fail: fail}, ctx
}

// Say prints a line that begins with the time since the start.
func (s *Show) Say(format string, values ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Printf("%6.1fs  %s\n", time.Since(s.Begun).Seconds(), fmt.Sprintf(format, values...))
}

// Below prints what has no time of its own, below what was said last.
func (s *Show) Below(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(text) {
		fmt.Println(strings.TrimRight("         "+line, " \n"))
	}
}

// Play takes the steps in their order, until one fails or the show is ended.
func (s *Show) Play(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		err := step(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx) // why it was ended, rather than what this broke
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// CleanUp says what to do at the end.
func (s *Show) CleanUp(undo func() error) { s.undo = append(s.undo, undo) }

// Close cleans up in the reverse order. What ends because of it is no failure.
func (s *Show) Close() {
	s.Fail(nil)
	for _, undo := range slices.Backward(s.undo) {
		if err := undo(); err != nil {
			s.Say("something may be left behind: %v", err)
		}
	}
}

// Sleep waits, or says why not.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

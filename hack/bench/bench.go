package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"awslogin.dev/operator/hack/show"
)

// bench is one run of the program.
type bench struct {
	settings
	*show.Show

	dir     string // temporary, with the operator's logs; stays after a failure
	program string // this one, to be started as the bare client
	report  Report

	mu     sync.Mutex
	broken []string // promises, the first ones
	breaks int
}

// run measures, and stops and removes everything however it ends.
func run(parent context.Context, s settings) (err error) {
	running, ctx := show.Begin(parent)
	b := &bench{settings: s, Show: running}
	defer func() {
		b.Close()
		if err == nil || parent.Err() != nil {
			_ = os.RemoveAll(b.dir)
		} else if b.dir != "" {
			fmt.Println("The operator's logs are in", b.dir)
		}
	}()
	return b.Play(ctx, b.prepare, b.measureEach, b.measureBesideForeign, b.conclude)
}

func (b *bench) prepare(context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "awslogin-bench-"); err != nil {
		return err
	}
	if b.program, err = os.Executable(); err != nil {
		return err
	}
	if b.operator, err = filepath.Abs(b.operator); err != nil {
		return err
	}
	b.report.Begun, b.report.Machine = b.Begun, describeMachine()
	b.report.Concurrency = b.concurrency
	return nil
}

func (b *bench) measureEach(ctx context.Context) error {
	for _, sessions := range b.sessions {
		result := &Result{Sessions: sessions}
		err := b.onStage(ctx, result, func(ctx context.Context, s *stage) error {
			return s.Play(ctx, s.measureIdle, s.populate, s.measureFirstStart,
				s.measureFloor, s.measureBurst, s.measureRestart, s.measureFloor, s.measureCycles)
		})
		if err != nil {
			return fmt.Errorf("with %d LoginSessions: %w", sessions, err)
		}
		result.Ratios = result.ratios()
		b.report.Results = append(b.report.Results, result)
		if err := b.writeFigures(); err != nil { // the next number may take an hour
			return err
		}
	}
	return nil
}

func (b *bench) writeFigures() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.LoadAfter, b.report.BrokenPromises = loadAverage(), b.breaks
	if b.json == "" {
		return nil
	}
	return b.report.write(b.json)
}

// onStage gives a measurement a control plane of its own: nothing is left of the one before.
func (b *bench) onStage(ctx context.Context, result *Result, measure func(context.Context, *stage) error) error {
	running, ctx := show.Begin(ctx)
	running.Begun = b.Begun
	defer running.Close()
	s := &stage{bench: b, Show: running, Result: result}
	return s.Play(ctx, s.start, func(ctx context.Context) error { return measure(ctx, s) })
}

// breakPromise keeps the first broken promises, and counts all.
func (b *bench) breakPromise(format string, values ...any) {
	const kept = 20
	b.mu.Lock()
	defer b.mu.Unlock()
	b.breaks++
	if len(b.broken) < kept {
		b.broken = append(b.broken, fmt.Sprintf(format, values...))
	}
}

func (b *bench) conclude(context.Context) error {
	slices.SortFunc(b.report.Results, func(x, y *Result) int { return cmp.Compare(x.Sessions, y.Sessions) })
	if err := b.writeFigures(); err != nil {
		return err
	}
	fmt.Printf("\n%s\n", b.report.table())
	if b.breaks == 0 {
		return nil
	}
	for _, text := range b.broken {
		fmt.Println(text)
	}
	return fmt.Errorf("promises were broken %d times", b.breaks)
}

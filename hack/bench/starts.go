package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/hack/show"
)

const (
	// quiet is how long the operator has nothing to do before its memory counts.
	quiet = 15 * time.Second
	// patience is for all LoginSessions once, on a machine with much else to do.
	patience = 10 * time.Minute
)

// measureIdle is an operator without LoginSessions.
func (s *stage) measureIdle(ctx context.Context) error {
	s.Say("an operator without LoginSessions (about %s) ...", quiet)
	if err := s.startOperator(ctx); err != nil {
		return err
	}
	if err := show.Sleep(ctx, quiet); err != nil {
		return err
	}
	var err error
	if s.Memory.Idle, _, err = s.operator.memory(); err != nil {
		return err
	}
	return s.stopOperator()
}

// measureFirstStart is an operator that finds all LoginSessions new, with logins that
// are young: it asks AWS STS who they are, publishes, and refreshes nothing.
func (s *stage) measureFirstStart(ctx context.Context) error {
	s.Say("starting the operator; it knows none of the %d LoginSessions ...", s.Sessions)
	s.watcher.begin(isReady)
	if err := s.startOperator(ctx); err != nil {
		return err
	}
	first, last, err := s.watcher.await(ctx, s.Sessions, patience, s.Say)
	if err != nil {
		return err
	}
	s.firstStart = last.Sub(s.operator.startedAt)
	s.FirstReady, s.LastReady = first.Sub(s.operator.startedAt).Seconds(), s.firstStart.Seconds()
	s.Say("  the first was Ready after %.1f s, the last after %.1f s", s.FirstReady, s.LastReady)
	if _, err := s.awaitCalm(ctx); err != nil {
		return err
	}
	return s.measureSizes(ctx)
}

// measureRestart is an operator that finds nothing to do.
func (s *stage) measureRestart(ctx context.Context) error {
	s.Say("restarting the operator; nothing is due ...")
	if err := s.stopOperator(); err != nil {
		return err
	}
	before, err := s.askAPIServer(ctx)
	if err != nil {
		return err
	}
	rotated := s.aws.Stats().Rotated
	if err := s.startOperator(ctx); err != nil {
		return err
	}
	last, err := s.awaitCalm(ctx)
	if err != nil {
		return err
	}
	after, err := s.askAPIServer(ctx)
	if err != nil {
		return err
	}
	made := after.requests.since(before.requests)
	s.Restart = Restart{
		Took:   last.Sub(s.operator.startedAt).Seconds(),
		Writes: made.writes() / float64(s.Sessions), Requests: made.total() / float64(s.Sessions),
		Refreshes: s.aws.Stats().Rotated - rotated,
	}
	if err := show.Sleep(ctx, quiet); err != nil {
		return err
	}
	s.Memory.Restart, _, err = s.operator.memory()
	return err
}

// awaitCalm waits until the API server sees nothing of the operator any more, and
// returns when it saw the last.
func (s *stage) awaitCalm(ctx context.Context) (last time.Time, err error) {
	const calm = 3 * time.Second
	known := -1.0
	for known < 0 || time.Since(last) < calm {
		state, err := s.askAPIServer(ctx)
		if err != nil {
			return last, err
		}
		if total := state.requests.total(); total != known {
			last, known = time.Now(), total
		}
		if err := show.Sleep(ctx, 500*time.Millisecond); err != nil {
			return last, err
		}
	}
	return last, nil
}

// measureBesideForeign is an operator among large Secrets that it does not need.
func (b *bench) measureBesideForeign(ctx context.Context) error {
	if b.foreign == 0 {
		return nil
	}
	return b.onStage(ctx, &Result{Sessions: 100}, func(ctx context.Context, s *stage) error {
		return s.Play(ctx, s.populate, s.addForeign, s.measureFirstStart, s.measureAmongForeign)
	})
}

func (s *stage) addForeign(ctx context.Context) error {
	s.Say("creating %d Secrets of 1 MB ...", s.foreign)
	content := bytes.Repeat([]byte("foreign "), 125_000)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i := range s.foreign {
		group.Go(func() error {
			return s.api.Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespaceOf(0), Name: fmt.Sprint("foreign-", i)},
				Data:       map[string][]byte{"content": content},
			})
		})
	}
	return group.Wait()
}

func (s *stage) measureAmongForeign(ctx context.Context) error {
	if err := show.Sleep(ctx, quiet); err != nil {
		return err
	}
	now, most, err := s.operator.memory()
	s.report.Foreign = &Foreign{Sessions: s.Sessions, Secrets: s.foreign, Now: now, Most: most}
	return err
}

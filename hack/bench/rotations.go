package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/fakeaws"
)

// meter is what had been used at a moment.
type meter struct {
	at        time.Time
	cpu       float64 // of the operator
	metering  float64 // of that, for telling what it had allocated
	allocated float64 // by the operator, in bytes
	api       apiServer
	aws       fakeaws.Stats
}

func (s *stage) read(ctx context.Context) (m meter, err error) {
	if m.api, err = s.askAPIServer(ctx); err != nil {
		return m, err
	}
	m.at, m.aws = time.Now(), s.aws.Stats()
	before, err := s.operator.cpu()
	if err != nil {
		return m, err
	}
	if m.allocated, err = s.operator.allocated(ctx); err != nil {
		return m, err
	}
	m.cpu, err = s.operator.cpu()
	m.metering = m.cpu - before
	return m, err
}

// cost of the rotations between two readings, which took so long.
func (before meter) cost(after meter, took time.Duration) Cost {
	rotations := after.aws.Rotated - before.aws.Rotated
	return Cost{
		PerSecond:    float64(rotations) / took.Seconds(),
		CPU:          (after.cpu - after.metering - before.cpu) / float64(rotations),
		Allocated:    (after.allocated - before.allocated) / float64(rotations),
		APIServerCPU: (after.api.cpu - before.api.cpu) / float64(rotations),
		Requests:     after.api.requests.since(before.api.requests).per(rotations),
	}
}

// measureBurst is an operator that runs for some time when all LoginSessions become
// due at once. For that it is frozen while they become due.
func (s *stage) measureBurst(ctx context.Context) error {
	began := time.Now()
	due := began.Add(s.timeToGetReady()).Truncate(time.Second)
	s.Say("making all due at once, %s from now ...", seconds(time.Until(due).Seconds()))
	if err := s.makeDue(ctx, awsLifetime, func(int) time.Time { return due }); err != nil {
		return err
	}
	if err := s.startOperator(ctx); err != nil {
		return err
	}
	calmAt, err := s.awaitCalm(ctx)
	if err != nil {
		return err
	}
	s.prepared = calmAt.Sub(began)
	const frozen = 2 * time.Second // expiries are whole seconds, so they become due within one
	if time.Until(due) < frozen {
		return errors.New("the refreshes were due before the operator was done with its start: the machine is too slow")
	}
	if err := show.Sleep(ctx, time.Until(due)-frozen); err != nil {
		return err
	}
	before, err := s.goOnAt(ctx, due)
	if err != nil {
		return err
	}
	s.Say("  all are due ...")
	_, last, err := s.watcher.await(ctx, s.Sessions, patience, s.Say)
	if err != nil {
		return err
	}
	return s.judgeBurst(ctx, before, last.Sub(due))
}

// timeToGetReady is for changing every login cache, and for the start of the operator. From
// then on no more than 5 min may pass: an expiry that is further away than AWS lets
// credentials live is taken for a wrong clock's.
func (s *stage) timeToGetReady() time.Duration {
	change := time.Duration(float64(s.Sessions) / s.floor().PerSecond * float64(time.Second))
	return change + min(15*time.Second+s.firstStart*6/5, 5*time.Minute)
}

// goOnAt reads the meter, and freezes the operator until a moment.
func (s *stage) goOnAt(ctx context.Context, moment time.Time) (before meter, err error) {
	if before, err = s.read(ctx); err != nil {
		return before, err
	}
	if err := s.operator.signal(syscall.SIGSTOP); err != nil {
		return before, err
	}
	if err := s.countRefreshed(ctx); err != nil {
		return before, err
	}
	if err := show.Sleep(ctx, time.Until(moment)); err != nil {
		return before, err
	}
	return before, s.operator.signal(syscall.SIGCONT)
}

// countRefreshed has the watcher count LoginSessions with other credentials than now.
func (s *stage) countRefreshed(ctx context.Context) error {
	var sessions v1alpha1.LoginSessionList
	if err := s.watcher.List(ctx, &sessions); err != nil {
		return err
	}
	before := map[types.NamespacedName]string{}
	for i := range sessions.Items {
		before[client.ObjectKeyFromObject(&sessions.Items[i])] = accessKeyOf(&sessions.Items[i])
	}
	s.watcher.begin(func(session *v1alpha1.LoginSession) bool {
		return accessKeyOf(session) != before[client.ObjectKeyFromObject(session)]
	})
	return nil
}

func accessKeyOf(session *v1alpha1.LoginSession) string {
	if session.Status.Credentials == nil {
		return ""
	}
	return session.Status.Credentials.AccessKeyID
}

func (s *stage) judgeBurst(ctx context.Context, before meter, took time.Duration) error {
	if err := s.operator.awaitIdle(ctx); err != nil {
		return err
	}
	after, err := s.read(ctx)
	if err != nil {
		return err
	}
	s.Burst = before.cost(after, took)
	s.Say("  %.0f a second", s.Burst.PerSecond)
	s.judgeAWS()
	if err := show.Sleep(ctx, quiet); err != nil {
		return err
	}
	s.Memory.Burst, s.Memory.Most, err = s.operator.memory()
	return err
}

// judgeAWS looks at what AWS saw of the operator.
func (s *stage) judgeAWS() {
	stats := s.aws.Stats()
	if stats.Refused > 0 || stats.Replayed > 0 {
		s.breakPromise("AWS Sign-In refused %d requests and got %d spent refresh tokens; the last refusal was: %s",
			stats.Refused, stats.Replayed, stats.LastRefusal)
	}
}

// measureCycles lets every LoginSession be refreshed twice, at moments that are spread
// as they are after some hours, and adds new ones then.
func (s *stage) measureCycles(ctx context.Context) error {
	lifetime := lifetimeFor(s.Sessions, s.Burst.PerSecond)
	period := lifetime / 3
	s.aws.SetLifetime(lifetime)
	s.watcher.promise(lifetime / 3)
	// A refresh that is due before the operator has published what makeDue wrote would
	// leave the former credentials in the target, which live longer.
	begin := time.Now().Add(s.prepared*3/2 + 8*time.Second)
	s.Say("spreading the refreshes over %s, with credentials that live %s (about %s) ...",
		seconds(period.Seconds()), lifetime, seconds((time.Until(begin) + period).Seconds()))
	err := s.makeDue(ctx, lifetime, func(i int) time.Time {
		return begin.Add(period * time.Duration(i) / time.Duration(s.Sessions))
	})
	if err != nil {
		return err
	}
	if err := s.countRefreshed(ctx); err != nil {
		return err
	}
	if err := s.startOperator(ctx); err != nil {
		return err
	}
	if _, _, err := s.watcher.await(ctx, s.Sessions, patience, s.Say); err != nil {
		return err
	}
	s.Say("two rotations of each LoginSession (about %s) ...", seconds(2*period.Seconds()))
	if err := s.cycle(ctx, lifetime, 2*period); err != nil {
		return err
	}
	s.Say("adding LoginSessions meanwhile (about 5 s) ...")
	if err := s.addNewOnes(ctx, lifetime); err != nil {
		return err
	}
	s.judgeAWS()
	return s.stopOperator()
}

func (s *stage) cycle(ctx context.Context, lifetime, window time.Duration) error {
	before, err := s.read(ctx)
	if err != nil {
		return err
	}
	s.watcher.record(true)
	if err := show.Sleep(ctx, window); err != nil {
		return err
	}
	s.watcher.record(false)
	after, err := s.read(ctx)
	if err != nil {
		return err
	}
	took := after.at.Sub(before.at)
	s.Cycles.Cost = before.cost(after, took)
	s.Cycles.Lifetime, s.Cycles.Load = lifetime.Seconds(), s.Cycles.PerSecond/s.Burst.PerSecond
	asked := after.aws.Requests + after.aws.STSCalls - before.aws.Requests - before.aws.STSCalls
	s.Cycles.AWSRequests = awsRequestsPerHour(asked, s.Sessions, took, lifetime)
	return s.judgeTargets(ctx, lifetime)
}

// addNewOnes measures how long new LoginSessions take while the others go on.
func (s *stage) addNewOnes(ctx context.Context, lifetime time.Duration) error {
	const newSessions = 9
	for i := range newSessions {
		took, err := s.addNew(ctx, i, lifetime)
		if err != nil {
			return err
		}
		s.Cycles.NewSessions = append(s.Cycles.NewSessions, took.Seconds())
		if err := show.Sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) addNew(ctx context.Context, i int, lifetime time.Duration) (time.Duration, error) {
	name := types.NamespacedName{Namespace: namespaceOf(0), Name: fmt.Sprint("new-", i)}
	if err := s.signIn(ctx, name, lifetime); err != nil {
		return 0, err
	}
	s.watcher.begin(func(session *v1alpha1.LoginSession) bool {
		return client.ObjectKeyFromObject(session) == name && isReady(session)
	})
	began := time.Now()
	if err := s.addSession(ctx, name); err != nil {
		return 0, err
	}
	_, ready, err := s.watcher.await(ctx, 1, time.Minute, s.Say)
	return ready.Sub(began), err
}

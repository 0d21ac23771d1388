package main

import (
	"context"
	"syscall"

	"awslogin.dev/operator/hack/show"
)

func faultsOfReplicas() []fault {
	return []fault{
		{"the leader is killed", 3, 10, afterHeavy, func(ctx context.Context, s *strike) error {
			leader, _ := s.roles()
			return s.replace(ctx, syscall.SIGKILL, leader)
		}},
		{"the leader is asked to stop", 2, 10, afterHeavy, func(ctx context.Context, s *strike) error {
			leader, _ := s.roles()
			return s.replace(ctx, syscall.SIGTERM, leader)
		}},
		{"the standby is killed", 1, 10, afterRetry, func(ctx context.Context, s *strike) error {
			_, standby := s.roles()
			return s.replace(ctx, syscall.SIGKILL, standby)
		}},
		{"both replicas are killed", 1, 30, afterHeavy, func(ctx context.Context, s *strike) error {
			return s.replace(ctx, syscall.SIGKILL, s.replicas...)
		}},
		{"the leader is frozen and goes on", 2, long, afterHeavy, freeze},
	}
}

// replace ends replicas and starts them again a moment later, as a kubelet does.
func (s *strike) replace(ctx context.Context, signal syscall.Signal, replicas ...*replica) error {
	for _, r := range replicas {
		if err := r.end(signal); err != nil {
			return err
		}
		s.roll(1, 0)
	}
	if err := show.Sleep(ctx, s.lasts); err != nil {
		return err
	}
	for _, r := range replicas {
		if err := s.start(r); err != nil {
			return err
		}
	}
	return nil
}

// freeze stops the leader for so long that the other one takes over: it goes on in the
// belief that it leads.
func freeze(ctx context.Context, s *strike) error {
	leader, _ := s.roles()
	if err := leader.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	s.roll(1, 0)
	if err := show.Sleep(ctx, max(s.lasts, leaseDuration+2*retryPeriod)); err != nil {
		return err
	}
	return leader.signal(syscall.SIGCONT)
}

// Soak runs two replicas of the operator for as long as one likes while AWS, the
// API server, the replicas and people misbehave, and checks every read of every
// target Secret against the promise: while a login session lives, credentials that
// workloads can read have at least a third of their life left, and none is lost.
//
// The Kubernetes API server and the operator are real; AWS is internal/fakeaws.
// Credentials live for -lifetime in place of 15 minutes and every promise scales
// with them, so an hour of work takes minutes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"awslogin.dev/operator/hack/show"
)

// settings are the command line.
type settings struct {
	operator string        // path of the operator's binary
	duration time.Duration // for which faults happen
	lifetime time.Duration // of credentials
	sessions int
	seed     uint64 // of the schedule of faults
	report   string // a file for the report, besides standard output
}

func main() { show.Main("soak", play) }

func play(ctx context.Context, args []string) error {
	settings, err := parseSettings(args)
	if err != nil {
		return err
	}
	return run(ctx, settings)
}

func parseSettings(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.StringVar(&s.operator, "operator", "bin/aws-login-operator", "the operator's binary, which make build provides")
	flags.DurationVar(&s.duration, "duration", 10*time.Minute, "how long faults happen")
	flags.DurationVar(&s.lifetime, "lifetime", time.Minute, "how long credentials live; AWS says 15m")
	flags.IntVar(&s.sessions, "sessions", 200, "number of LoginSessions")
	flags.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixMilli()), "decides which faults happen, when and to whom; by default the time does")
	flags.StringVar(&s.report, "report", "", "write the report to this file too")
	if err := show.Parse(flags, args); err != nil {
		return s, err
	}
	return s, s.check()
}

// check refuses lifetimes below 30 s: some waits of the operator and of the
// Kubernetes client are fixed, and would take all the time that a retry has.
func (s settings) check() error {
	switch {
	case s.lifetime < 30*time.Second || s.lifetime > awsLifetime || s.lifetime%time.Second != 0:
		return fmt.Errorf("-lifetime is %s: must be whole seconds from 30s to 15m", s.lifetime)
	case s.duration < s.lifetime:
		return fmt.Errorf("-duration is %s: must be at least the credentials' lifetime of %s", s.duration, s.lifetime)
	case s.sessions < 1:
		return errors.New("-sessions must be at least 1")
	}
	return show.CheckOperator(s.operator)
}

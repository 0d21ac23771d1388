// Demo shows the operator at work, without an AWS account and without a cluster:
// a person's `aws login` keeps a program supplied with credentials that are
// replaced every few seconds, and no call of the program fails.
//
// The Kubernetes API server, the operator and the program are real; AWS is
// internal/fakeaws, and the kubelet is imitated (see kubelet.go). `make demo` runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"awslogin.dev/operator/hack/show"
)

// settings are the command line.
type settings struct {
	operator   string        // path of the operator's binary
	goWorkload string        // path of hack/workload's
	plugin     string        // path of the kubectl plugin to sign in with; empty for a login cache that is there
	duration   time.Duration // of the observation
	lifetime   time.Duration // of credentials
	keep       bool
	sdk        string // of the workload: auto, boto3 or go
	role       bool   // have the workload get a role's credentials
}

func main() {
	show.Main("demo", play)
}

func play(ctx context.Context, args []string) error {
	settings, err := parseSettings(args)
	if err != nil {
		return err
	}
	return run(ctx, settings)
}

func parseSettings(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.StringVar(&s.operator, "operator", "bin/aws-login-operator", "the operator's binary, which make build provides")
	flags.StringVar(&s.goWorkload, "go-workload", "bin/workload", "the workload for machines without boto3")
	flags.StringVar(&s.plugin, "login", "", "sign in with the kubectl plugin at this path, which make build provides, instead of storing a login cache")
	flags.DurationVar(&s.duration, "duration", 45*time.Second, "how long to watch rotations")
	flags.DurationVar(&s.lifetime, "lifetime", 18*time.Second, "how long credentials live; AWS says 15m")
	flags.BoolVar(&s.keep, "keep", false, "stay up after the summary, until Ctrl-C")
	flags.StringVar(&s.sdk, "workload", "auto", "what the workload is written with: boto3, go, or auto for boto3 where it is installed")
	flags.BoolVar(&s.role, "role", false, "have the workload get the credentials of a role that the person may assume")
	if err := show.Parse(flags, args); err != nil {
		return s, err
	}
	return s, s.check()
}

func (s settings) check() error {
	switch {
	case s.lifetime < 9*time.Second || s.lifetime > awsLifetime:
		return fmt.Errorf("-lifetime is %s: must be from 9s to 15m", s.lifetime)
	case s.duration < s.lifetime:
		return fmt.Errorf("-duration is %s: must be at least the credentials' lifetime of %s, to see a rotation", s.duration, s.lifetime)
	case s.sdk != "auto" && s.sdk != "boto3" && s.sdk != "go":
		return fmt.Errorf("-workload is %q: must be auto, boto3 or go", s.sdk)
	}
	return show.CheckOperator(s.operator)
}

// Bench measures what the operator costs, beside a floor that is measured in the same
// run: a bare Kubernetes client that does nothing but the calls that no operator could
// do without, with objects of the same number and size. docs/performance.md has results.
//
// The Kubernetes API server and the operator are real; AWS is internal/fakeaws.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"awslogin.dev/operator/hack/show"
)

// settings are the command line.
type settings struct {
	operator    string // path of the operator's binary
	sessions    []int  // how many LoginSessions, for one measurement each
	concurrency int    // of the operator's reconciles, and of the bare client
	foreign     int    // Secrets of 1 MB that are none of the operator's business
	json        string // a file for the figures
}

func main() {
	ctrl.SetLogger(klog.Background()) // or its first use complains
	if len(os.Args) == 4 && os.Args[1] == floorArgument {
		show.Main("bare client", playFloor)
		return
	}
	show.Main("bench", play)
}

func play(ctx context.Context, args []string) error {
	settings, err := parseSettings(args)
	if err != nil {
		return err
	}
	return run(ctx, settings)
}

func parseSettings(args []string) (settings, error) {
	s := settings{sessions: []int{100, 1000}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&s.operator, "operator", "bin/aws-login-operator", "the operator's binary, which make build provides")
	flags.Func("sessions", "comma-separated numbers of LoginSessions, measured one after the other (default 100,1000)", func(text string) (err error) {
		s.sessions, err = parseNumbers(text)
		return err
	})
	flags.IntVar(&s.concurrency, "concurrency", 10, "the operator's --max-concurrent-reconciles, and how many rotations the bare client makes at once")
	flags.IntVar(&s.foreign, "foreign", 300, "number of Secrets of 1 MB beside 100 LoginSessions, for the operator's memory; 0 leaves this out")
	flags.StringVar(&s.json, "json", "", "write the figures to this file, as JSON")
	if err := show.Parse(flags, args); err != nil {
		return s, err
	}
	return s, s.check()
}

func parseNumbers(text string) (numbers []int, err error) {
	for word := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || number < minSessions || number > maxSessions {
			return nil, fmt.Errorf("%q is not a number from %d to %d", word, minSessions, maxSessions)
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}

// A few sessions measure noise; more than the most do not fit into what etcd holds by default.
const (
	minSessions = 20
	maxSessions = 50_000
)

func (s settings) check() error {
	switch {
	case s.concurrency < 1:
		return errors.New("-concurrency must be at least 1")
	case s.foreign < 0 || s.foreign > 1000:
		return errors.New("-foreign must be from 0 to 1000")
	}
	return show.CheckOperator(s.operator)
}

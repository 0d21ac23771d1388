// kubectl-awslogin is a kubectl plugin: `kubectl awslogin login` signs a person in
// for the cluster, and its other commands work with LoginSessions.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	log.SetLogger(logr.Discard()) // controller-runtime would complain that nobody listens
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr})
	stop()
	if err != nil {
		os.Exit(1)
	}
}

// run executes one command line. It is the one place that tells of errors.
func run(ctx context.Context, args []string, streams genericiooptions.IOStreams) error {
	command := newCommand(streams)
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	if err != nil {
		_, _ = fmt.Fprintln(streams.ErrOut, "error:", explain(err))
	}
	return err
}

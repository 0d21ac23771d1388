// Fakeaws is internal/fakeaws as a program of its own, for clusters: AWS Sign-In and
// AWS STS on one port, and what AWS has no API for on another, see control.go.
//
//	fakeaws                       serves
//	fakeaws browse URL            is the browser in which a person consents to a sign-in
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/fakeaws"
)

// settings are the command line.
type settings struct {
	address string
	control string
	person  string
	aws     fakeaws.Options
}

func main() { show.Main("fakeaws", run) }

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == "browse" {
		_, _, err := fakeaws.Browse(args[1], "allow")
		return err
	}
	s, err := parseSettings(args)
	if err != nil {
		return err
	}
	aws := fakeaws.New(s.aws)
	aws.SetPerson(s.person)
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	log.Info("serving", "address", s.address, "control", s.control, "person", s.person, "credentialLifetime", s.aws.CredentialLifetime.String())
	return serve(ctx,
		newServer(s.address, logged(log, aws)),
		newServer(s.control, control{aws: aws, person: s.person, log: log}.handler()))
}

func parseSettings(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("fakeaws", flag.ContinueOnError)
	flags.StringVar(&s.address, "address", ":8080", "where AWS Sign-In and AWS STS listen")
	flags.StringVar(&s.control, "control-address", ":8081", "where probes are answered and people can be signed in and out")
	flags.StringVar(&s.person, "person", "arn:aws:iam::111122223333:user/alice", "the ARN of who signs in")
	flags.DurationVar(&s.aws.CredentialLifetime, "credential-lifetime", 15*time.Minute, "how long credentials live, in whole seconds")
	flags.DurationVar(&s.aws.SessionLifetime, "session-lifetime", 12*time.Hour, "how long a login session can be refreshed")
	if err := show.Parse(flags, args); err != nil {
		return s, err
	}
	if s.aws.CredentialLifetime < time.Second || s.aws.CredentialLifetime > 15*time.Minute {
		return s, fmt.Errorf("-credential-lifetime is %s: must be from 1s to 15m", s.aws.CredentialLifetime)
	}
	return s, nil
}

func newServer(address string, handler http.Handler) *http.Server {
	return &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
}

// serve until the first server fails, or until the end.
func serve(ctx context.Context, servers ...*http.Server) error {
	failed := make(chan error, len(servers))
	for _, server := range servers {
		go func() { failed <- fmt.Errorf("serve %s: %w", server.Addr, server.ListenAndServe()) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

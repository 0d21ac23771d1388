package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cli/browser"
	"github.com/spf13/cobra"

	"awslogin.dev/operator/internal/loginrefresh"
	"awslogin.dev/operator/internal/signin"
)

func init() { browser.Stdout, browser.Stderr = io.Discard, io.Discard }

// loginOptions are the flags of login.
type loginOptions struct {
	destinationOptions
	noBrowser bool
	remote    bool
	port      int
	timeout   time.Duration
}

func (p *plugin) loginCommand() *cobra.Command {
	o := &loginOptions{}
	command := &cobra.Command{
		Use:   "login [NAME]",
		Short: "Sign in to AWS for the cluster, anew or again",
		Long: `Sign in to AWS in the browser, for the cluster alone.

The login goes into a Secret of the namespace and nowhere else. The LoginSession
NAME is created, or goes on with the new login. Without NAME it is the namespace's
only LoginSession, or a new one with the name ` + defaultName + `.`,
		Example: `  # sign in, and have Secret aws with credentials in the current namespace
  kubectl awslogin login

  # on a machine without a browser
  kubectl awslogin login dev --remote`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeName,
		RunE:              func(command *cobra.Command, args []string) error { return p.login(command.Context(), args, o) },
	}
	flags := command.Flags()
	o.bind(flags)
	flags.BoolVar(&o.noBrowser, "no-browser", false, "print the URL instead of opening a browser on this machine")
	flags.BoolVar(&o.remote, "remote", false, "sign in with a browser on another machine, and paste the code that it shows")
	flags.IntVar(&o.port, "port", 0, "port of 127.0.0.1 that the browser comes back to; by default any free one")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long to wait for the sign-in in the browser")
	command.MarkFlagsMutuallyExclusive("remote", "port")
	return command
}

func (p *plugin) login(ctx context.Context, args []string, o *loginOptions) error {
	client, err := signInClient(os.Getenv)
	if err != nil {
		return err
	}
	d, err := p.prepare(ctx, args, &o.destinationOptions, "")
	if err != nil {
		return err
	}
	p.say("Signing in to AWS in %s for LoginSession %s in namespace %s.", d.signInRegion, d.session.Name, d.namespace)
	login, err := p.signIn(ctx, signin.Flow{Client: client, Region: d.signInRegion, Port: o.port}, o)
	if err != nil {
		return fmt.Errorf("%w; nothing was changed in the cluster", explainSignIn(err, o.timeout))
	}
	p.say("Signed in as %s.", login.Identity.ARN)
	if err := p.agree(ctx, d, login); err != nil {
		return fmt.Errorf("%w; nothing was changed in the cluster", err)
	}
	if err := p.deliver(ctx, d, login); err != nil {
		return err
	}
	return p.printSnippet(d.session)
}

// signInClient has the operator's rules: no other AWS variable counts, so that none
// meant for workloads sends tokens elsewhere.
func signInClient(getenv func(string) string) (*loginrefresh.Client, error) {
	roots, err := loginrefresh.ReadRoots(getenv("AWS_CA_BUNDLE"))
	if err != nil {
		return nil, err
	}
	endpoint := getenv("AWS_ENDPOINT_URL_SIGNIN")
	if endpoint != "" {
		if err := loginrefresh.CheckEndpoint(endpoint, false); err != nil {
			return nil, fmt.Errorf("AWS_ENDPOINT_URL_SIGNIN: %w", err)
		}
	}
	return &loginrefresh.Client{
		HTTP: loginrefresh.NewHTTPClient(roots), Endpoint: loginrefresh.Endpoint{URL: endpoint}, Now: time.Now,
	}, nil
}

func (p *plugin) signIn(ctx context.Context, flow signin.Flow, o *loginOptions) (*loginrefresh.Login, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if o.remote {
		return flow.CrossDevice(ctx, func(ctx context.Context, url string) (string, error) {
			p.say("Open this page in a browser, on any machine, and sign in:\n\n  %s\n", url)
			return p.ask(ctx, "Paste the code that it shows: ")
		})
	}
	return flow.SameDevice(ctx, func(url string) {
		if o.noBrowser {
			p.say("Open this page in a browser on this machine, and sign in:\n\n  %s\n", url)
			return
		}
		p.say("A browser opens, to sign in there. If it does not, open this page in one on this machine:\n\n  %s\n", url)
		go func() { _ = browser.OpenURL(url) }() // some do not return before the browser is closed
	})
}

// explainSignIn says what to do about what went wrong between AWS, the browser and
// this program.
func explainSignIn(err error, timeout time.Duration) error {
	var failed *loginrefresh.ServiceError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("nobody signed in within %s: try again, with a longer --timeout or with --remote", timeout)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(err, signin.ErrForeign):
		return fmt.Errorf("%w: close other sign-in pages and try again", err)
	case !errors.As(err, &failed):
		return err
	case failed.Code == "AUTHCODE_EXPIRED":
		return fmt.Errorf("the code from the browser has expired: try again (%w)", err)
	case failed.Outcome == loginrefresh.Denied:
		return fmt.Errorf("IAM does not let you sign in: ask for the managed policy SignInLocalDevelopmentAccess (%w)", err)
	case failed.Outcome == loginrefresh.ClockSkew:
		return fmt.Errorf("set this machine's clock: %w", err)
	case failed.Outcome == loginrefresh.Rejected:
		return fmt.Errorf("AWS rejects the sign-in: try again, or in another --region (%w)", err)
	}
	return fmt.Errorf("AWS did not give credentials: try again later (%w)", err)
}

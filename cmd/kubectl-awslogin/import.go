package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/awsprofile"
	"awslogin.dev/operator/internal/loginrefresh"
)

// importOptions are the flags of import.
type importOptions struct {
	destinationOptions
	profile string
	move    bool
}

func (p *plugin) importCommand() *cobra.Command {
	o := &importOptions{}
	command := &cobra.Command{
		Use:   "import [NAME]",
		Short: "Bring the login of `aws login` on this machine into the cluster",
		Long: `Bring the login that ` + "`aws login`" + ` left on this machine into the cluster.

A login has one chain of refresh tokens. With --move it goes to the cluster for
good; without, this machine and the cluster both refresh it, and one of them can
lose it to the other. ` + "`kubectl awslogin login`" + ` gives the cluster a login of its own.`,
		Example: `  # hand over the login of profile dev
  kubectl awslogin import --profile dev --move`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeName,
		RunE:              func(command *cobra.Command, args []string) error { return p.importLogin(command.Context(), args, o) },
	}
	flags := command.Flags()
	o.bind(flags)
	flags.StringVar(&o.profile, "profile", "", "AWS profile on this machine; by default AWS_PROFILE, else default")
	flags.BoolVar(&o.move, "move", false, "delete the login on this machine once the operator has refreshed it")
	return command
}

func (p *plugin) importLogin(ctx context.Context, args []string, o *importOptions) error {
	found, err := awsprofile.Find(ctx, o.profile)
	if err != nil {
		return err
	}
	login, err := readFound(found)
	if err != nil {
		return err
	}
	if o.region, err = agreedRegion(o.region, login); err != nil {
		return err
	}
	d, err := p.prepare(ctx, args, &o.destinationOptions, found.Region)
	if err != nil {
		return err
	}
	if o.move && (d.session.Spec.Suspend || o.readyTimeout == 0) {
		return errors.New("--move waits until the operator has refreshed the login: it needs a LoginSession that is not suspended, and time")
	}
	if login, err = login.InRegion(d.signInRegion); err != nil {
		return err
	}
	p.say("AWS profile %s is signed in as %s.", found.Profile, login.SessionName("somebody in account "+login.Credentials.AccountID))
	if err := p.agree(ctx, d, login); err != nil {
		return fmt.Errorf("%w; nothing was changed in the cluster", err)
	}
	if err := p.deliver(ctx, d, login); err != nil {
		return err
	}
	if err := p.part(ctx, d, found, login, o.move); err != nil {
		return err
	}
	return p.printSnippet(d.session)
}

// readFound refuses a login that cannot be refreshed any more.
func readFound(found *awsprofile.Login) (*loginrefresh.Login, error) {
	login, err := loginrefresh.Parse(found.Content)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: sign in again with `aws login --profile %s`", found.Path, err, found.Profile)
	}
	if end := login.StartedAt.Add(loginrefresh.SessionLimit); !login.StartedAt.IsZero() && time.Now().After(end) {
		return nil, fmt.Errorf("the login of AWS profile %s ended at %s: sign in with `kubectl awslogin login`", found.Profile, end.Local().Format(time.DateTime))
	}
	return login, nil
}

// agreedRegion is empty where neither the person nor the login says.
func agreedRegion(asked string, login *loginrefresh.Login) (string, error) {
	if asked != "" && login.SignInRegion != "" && asked != login.SignInRegion {
		return "", fmt.Errorf("the login is of region %s: leave --region out", login.SignInRegion)
	}
	if asked == "" {
		return login.SignInRegion, nil
	}
	return asked, nil
}

// part ends the time in which two refresh the same login, or says that it lasts.
func (p *plugin) part(ctx context.Context, d *destination, found *awsprofile.Login, login *loginrefresh.Login, move bool) error {
	if !move {
		p.say("This machine and the cluster both refresh this login now, and one of them can lose it to the other. " +
			"With --move only the cluster keeps it; `kubectl awslogin login` gives the cluster one of its own.")
		return nil
	}
	if err := p.takeOver(ctx, d, login); err != nil {
		return fmt.Errorf("%w; %s is still there", err, found.Path)
	}
	if err := found.Remove(); err != nil {
		return fmt.Errorf("the operator has taken the login over, but %s is not deleted: %w", found.Path, err)
	}
	p.say("The operator has taken the login over, and %s is deleted. For this machine sign in again: aws login --profile %s", found.Path, found.Profile)
	return nil
}

// takeOver returns when the operator has refreshed the login, and has the only
// refresh token that is not spent.
func (p *plugin) takeOver(ctx context.Context, d *destination, login *loginrefresh.Login) error {
	request, err := d.requestRefresh(ctx, d.session)
	if err != nil {
		return err
	}
	return p.follow(ctx, d, func(session *v1alpha1.LoginSession) verdict { return judgeTakeOver(session, login, request) })
}

// judgeTakeOver waits for another refresh token than the imported one. That the
// request was handled without one is a failure.
func judgeTakeOver(session *v1alpha1.LoginSession, login *loginrefresh.Login, request string) verdict {
	status := session.Status
	ready := condition(status, v1alpha1.ReadyCondition)
	if ready == nil || status.Session == nil {
		return verdict{}
	}
	spent := status.Session.Fingerprint != login.Fingerprint()
	handled := status.Refresh != nil && status.Refresh.LastHandledRequestAt == request
	stalled, reconciling := condition(status, v1alpha1.StalledCondition), condition(status, v1alpha1.ReconcilingCondition)
	switch {
	case stalled != nil:
		return verdict{err: errors.New(told(stalled))}
	case handled && !spent && reconciling != nil:
		return verdict{err: errors.New(told(reconciling))}
	}
	return verdict{done: spent && ready.Status == metav1.ConditionTrue, said: told(ready)}
}

// requestRefresh asks the operator for one attempt.
func (c *cluster) requestRefresh(ctx context.Context, session *v1alpha1.LoginSession) (request string, err error) {
	request = time.Now().UTC().Format(time.RFC3339Nano)
	requested := session.DeepCopy()
	metav1.SetMetaDataAnnotation(&requested.ObjectMeta, v1alpha1.RefreshRequestedAtAnnotation, request)
	if err := c.Patch(ctx, requested, client.MergeFrom(session), fieldOwner); err != nil {
		return "", fmt.Errorf("request a refresh of LoginSession %s: %w", session.Name, err)
	}
	return request, nil
}

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
)

func (p *plugin) suspendCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "suspend [NAME]",
		Short: "Stop refreshing",
		Long: `Stop refreshing, until resume. Pods keep the credentials that they have, which end
within minutes. Without NAME it is the namespace's only LoginSession.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeName,
		RunE:              func(command *cobra.Command, args []string) error { return p.suspend(command.Context(), args) },
	}
}

func (p *plugin) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "resume [NAME]",
		Short:             "Refresh again after suspend",
		Long:              `Refresh again. Without NAME it is the namespace's only LoginSession.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeName,
		RunE:              func(command *cobra.Command, args []string) error { return p.resume(command.Context(), args) },
	}
}

func (p *plugin) suspend(ctx context.Context, args []string) error {
	c, session, err := p.pick(ctx, args)
	if err != nil {
		return err
	}
	if err := p.setSuspend(ctx, c, session, true); err != nil {
		return err
	}
	if end := factsOf(session).credentials.ExpiresAt; end != nil && end.After(time.Now()) {
		p.say("Pods that mount Secret %s keep its credentials until %s.", session.TargetSecretName(), moment(end))
	}
	if sharers, err := c.sharers(ctx, session); err == nil && len(sharers) > 0 {
		p.say("LoginSession %s has the same login cache: while it is refreshed, so is Secret %s.", few(sharers), session.TargetSecretName())
	}
	p.say("To go on: %s", command("resume", session))
	return nil
}

func (p *plugin) resume(ctx context.Context, args []string) error {
	c, session, err := p.pick(ctx, args)
	if err != nil {
		return err
	}
	if err := p.setSuspend(ctx, c, session, false); err != nil {
		return err
	}
	if isOver(session) {
		p.say("Its login session is over, so that it cannot be refreshed: %s", command("login", session))
		return nil
	}
	p.say("The operator refreshes it in time again. To see: %s", command("status", session))
	return nil
}

// setSuspend may find it done already.
func (p *plugin) setSuspend(ctx context.Context, c *cluster, session *v1alpha1.LoginSession, suspend bool) error {
	state := map[bool]string{true: "suspended", false: "not suspended"}[suspend]
	if session.Spec.Suspend == suspend {
		p.say("LoginSession %s is %s already.", session.Name, state)
		return nil
	}
	before := session.DeepCopy()
	session.Spec.Suspend = suspend
	if err := c.Patch(ctx, session, client.MergeFrom(before), fieldOwner); err != nil {
		return fmt.Errorf("change spec.suspend of LoginSession %s: %w", session.Name, err)
	}
	p.say("LoginSession %s is %s.", session.Name, state)
	return nil
}

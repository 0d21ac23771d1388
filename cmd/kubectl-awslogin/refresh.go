package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

func (p *plugin) refreshCommand() *cobra.Command {
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "refresh [NAME]",
		Short: "Refresh the credentials now",
		Long: `Ask the operator for one refresh, now, and tell what came of it. Without NAME it
is the namespace's only LoginSession. The operator refreshes by itself in time: this
is for who has mended what kept it from doing so.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeName,
		RunE: func(command *cobra.Command, args []string) error {
			return p.refresh(command.Context(), args, timeout)
		},
	}
	command.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait for the result")
	return command
}

func (p *plugin) refresh(ctx context.Context, args []string, timeout time.Duration) error {
	c, session, err := p.pick(ctx, args)
	if err != nil {
		return err
	}
	if err := refusesRefresh(session); err != nil {
		return err
	}
	request, err := c.requestRefresh(ctx, session)
	if err != nil {
		return err
	}
	var last *v1alpha1.LoginSession
	heard, err := p.listen(ctx, c, session.Name, timeout, func(session *v1alpha1.LoginSession) verdict {
		last = session
		return judgeRefresh(session, request)
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded) && !heard:
		return fmt.Errorf("the operator has not reported anything about LoginSession %s after %s: the request stays, and it goes on when it runs", session.Name, timeout)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("LoginSession %s was not refreshed within %s, but the request stays: `%s`", session.Name, timeout, command("status", session))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: the request stays")
	case err != nil:
		return fmt.Errorf("LoginSession %s: %w", session.Name, err)
	}
	f := factsOf(last)
	p.say("LoginSession %s is refreshed. Its credentials end at %s.", session.Name, moment(f.credentials.ExpiresAt))
	return nil
}

// refusesRefresh: what a request does not override.
func refusesRefresh(session *v1alpha1.LoginSession) error {
	switch {
	case session.Spec.Suspend:
		return fmt.Errorf("LoginSession %s is suspended: `%s` first", session.Name, command("resume", session))
	case isOver(session):
		return fmt.Errorf("the login session is over, and cannot be refreshed: sign in again with `%s`", command("login", session))
	}
	return nil
}

// isOver says whether only another sign-in helps.
func isOver(session *v1alpha1.LoginSession) bool {
	active := condition(session.Status, v1alpha1.SessionActiveCondition)
	return active != nil && active.Reason == v1alpha1.ReasonReloginRequired
}

// beyondRefresh are reasons for which the operator does not even try.
var beyondRefresh = map[string]bool{
	v1alpha1.ReasonLoginCacheNotFound:   true,
	v1alpha1.ReasonLoginCacheInvalid:    true,
	v1alpha1.ReasonRootRefused:          true,
	v1alpha1.ReasonPrincipalNotAllowed:  true,
	v1alpha1.ReasonTargetConflict:       true,
	v1alpha1.ReasonSignInRegionConflict: true,
	v1alpha1.ReasonReloginRequired:      true,
}

// judgeRefresh waits for the answer to a request.
func judgeRefresh(session *v1alpha1.LoginSession, request string) verdict {
	ready := condition(session.Status, v1alpha1.ReadyCondition)
	if ready == nil {
		return verdict{}
	}
	trouble := trouble(session)
	handled := session.Status.Refresh != nil && session.Status.Refresh.LastHandledRequestAt == request
	switch {
	case trouble != nil && (handled || beyondRefresh[trouble.Reason]):
		return verdict{err: errors.New(told(trouble))}
	case trouble != nil:
		return verdict{said: told(trouble)}
	}
	return verdict{done: handled}
}

// trouble is what keeps a LoginSession from being as it should be, nil where nothing
// does.
func trouble(session *v1alpha1.LoginSession) *metav1.Condition {
	if stalled := condition(session.Status, v1alpha1.StalledCondition); stalled != nil {
		return stalled
	}
	return condition(session.Status, v1alpha1.ReconcilingCondition)
}

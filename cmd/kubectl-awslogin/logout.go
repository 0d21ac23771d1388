package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
)

func (p *plugin) logoutCommand() *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "logout NAME",
		Short: "Delete a LoginSession and its login",
		Long: `Delete a LoginSession and the Secret with its login cache, unless another
LoginSession uses that too.

This does not end the session at AWS, which has no call for that. Credentials that
pods have got work until they end.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: p.completeName,
		RunE:              func(command *cobra.Command, args []string) error { return p.logout(command.Context(), args, yes) },
	}
	command.Flags().BoolVarP(&yes, "yes", "y", false, "delete without a question")
	return command
}

// farewell is what a logout deletes.
type farewell struct {
	*cluster
	session *v1alpha1.LoginSession
	cache   *corev1.Secret // nil where it is not there, or stays
	sharers []string
}

func (p *plugin) logout(ctx context.Context, args []string, yes bool) error {
	c, session, err := p.pick(ctx, args)
	if err != nil {
		return err
	}
	f := &farewell{cluster: c, session: session}
	if f.sharers, err = c.sharers(ctx, session); err != nil {
		return err
	}
	if f.cache, err = f.findCache(ctx); err != nil {
		return err
	}
	if err := f.delete(ctx, client.NewDryRunClient(c)); err != nil {
		return fmt.Errorf("check beforehand: %w", err)
	}
	p.say("%s", f.consequences(ctx))
	if err := p.confirm(ctx, yes, f.question()); err != nil {
		return fmt.Errorf("%w; nothing was changed in the cluster", err)
	}
	if err := f.delete(ctx, c); err != nil {
		return err
	}
	p.say("LoginSession %s is deleted%s.", session.Name, f.andCache(" and so is Secret %s with the login"))
	p.sayWhatRemains(session)
	return nil
}

// findCache finds the Secret that goes too.
func (f *farewell) findCache(ctx context.Context) (*corev1.Secret, error) {
	if len(f.sharers) > 0 {
		return nil, nil
	}
	secret := &corev1.Secret{}
	name := f.session.Spec.LoginCacheSecretRef.Name
	err := f.Get(ctx, f.key(name), secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %s: %w", name, err)
	}
	return secret, nil
}

// delete begins with the LoginSession, so that the operator does not miss its cache.
func (f *farewell) delete(ctx context.Context, api client.Client) error {
	err := api.Delete(ctx, f.session, client.Preconditions{UID: &f.session.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete LoginSession %s: %w", f.session.Name, err)
	}
	if f.cache == nil {
		return nil
	}
	err = api.Delete(ctx, f.cache, client.Preconditions{UID: &f.cache.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the login is still in Secret %s, delete it: %w", f.cache.Name, err)
	}
	return nil
}

func (f *farewell) question() string {
	return fmt.Sprintf("Delete LoginSession %s%s?", f.session.Name, f.andCache(" and Secret %s"))
}

func (f *farewell) andCache(format string) string {
	if f.cache == nil {
		return ""
	}
	return fmt.Sprintf(format, f.cache.Name)
}

// consequences are for who has to decide.
func (f *farewell) consequences(ctx context.Context) string {
	text := fmt.Sprintf("Secret %s, which pods mount, goes with LoginSession %s.", f.session.TargetSecretName(), f.session.Name)
	if f.session.Spec.Target.DeletionPolicy == v1alpha1.DeletionPolicyRetain {
		text = fmt.Sprintf("Secret %s, which pods mount, stays with its last credentials (spec.target.deletionPolicy is Retain).", f.session.TargetSecretName())
	}
	pods, err := f.users(ctx, f.session)
	switch {
	case err != nil:
		text += " Which pods do is not known."
	case len(pods) == 0:
		text += " No pod does."
	default:
		text += " These do, and get no more credentials: " + few(pods) + "."
	}
	if len(f.sharers) > 0 {
		text += fmt.Sprintf("\nSecret %s stays: it has the login of LoginSession %s too.", f.session.Spec.LoginCacheSecretRef.Name, few(f.sharers))
	}
	if f.cache != nil && len(f.cache.Data) > 1 {
		text += fmt.Sprintf("\nSecret %s has %d keys, which all go.", f.cache.Name, len(f.cache.Data))
	}
	return text
}

// sayWhatRemains: there is no way to have AWS end it.
func (p *plugin) sayWhatRemains(session *v1alpha1.LoginSession) {
	facts := factsOf(session)
	if end := facts.credentials.ExpiresAt; end != nil && end.After(metav1.Now().Time) {
		p.say("Credentials that pods have got work until %s.", moment(end))
	}
	p.say("AWS has no call that ends the session: a copy of the login, if somebody made one, works until %s.",
		cmp.Or(moment(facts.session.EstimatedEndAt), "it ends, at most 12 hours after it began"))
}

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/scheme"
)

// statusOptions are the flags of status.
type statusOptions struct {
	allNamespaces bool
	watch         bool
	print         *genericclioptions.PrintFlags
}

func (p *plugin) statusCommand() *cobra.Command {
	o := &statusOptions{print: genericclioptions.NewPrintFlags("").WithTypeSetter(scheme.New())}
	command := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Who is signed in, until when, and which pods use it",
		Long: `Show who is signed in, whether the credentials work, when they end and are
refreshed next, when the session ends, and which pods mount them. Without NAME it
shows all LoginSessions of the namespace.`,
		Example: `  # the LoginSessions of all namespaces
  kubectl awslogin status -A

  # follow one until Ctrl-C
  kubectl awslogin status dev -w`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeName,
		RunE:              func(command *cobra.Command, args []string) error { return p.status(command.Context(), args, o) },
	}
	flags := command.Flags()
	flags.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "show the LoginSessions of all namespaces")
	flags.BoolVarP(&o.watch, "watch", "w", false, "show changes too, until Ctrl-C")
	o.print.AddFlags(command)
	flags.Lookup("output").Usage += " Also wide, which is a table with more columns."
	return command
}

func (p *plugin) status(ctx context.Context, args []string, o *statusOptions) error {
	c, err := p.connect()
	if err != nil {
		return err
	}
	scope, err := o.scope(c, args)
	if err != nil {
		return err
	}
	sessions := &v1alpha1.LoginSessionList{}
	if err := c.List(ctx, sessions, scope...); err != nil {
		return err
	}
	if len(sessions.Items) == 0 && len(args) > 0 {
		return c.notThere(args[0])
	}
	show, err := p.view(c, o, len(sessions.Items) == 1)
	if err != nil {
		return err
	}
	if len(sessions.Items) == 0 {
		p.say("There is no LoginSession %s: `kubectl awslogin login` makes one.", o.where(c))
	} else if err := show(ctx, sessions.Items); err != nil {
		return err
	}
	if !o.watch {
		return nil
	}
	return p.watchStatus(ctx, c, scope, sessions.ResourceVersion, show)
}

func (o *statusOptions) where(c *cluster) string {
	if o.allNamespaces {
		return "in the cluster"
	}
	return "in namespace " + c.namespace
}

func (o *statusOptions) scope(c *cluster, args []string) ([]client.ListOption, error) {
	switch {
	case o.allNamespaces && len(args) > 0:
		return nil, errors.New("a LoginSession is in one namespace: leave NAME or --all-namespaces out")
	case o.allNamespaces:
		return nil, nil
	case len(args) > 0:
		return []client.ListOption{client.InNamespace(c.namespace), client.MatchingFields{"metadata.name": args[0]}}, nil
	}
	return []client.ListOption{client.InNamespace(c.namespace)}, nil
}

// watchStatus shows each change until the person has seen enough. What the server
// ends is begun anew from where it was.
func (p *plugin) watchStatus(ctx context.Context, c *cluster, scope []client.ListOption, from string, show func(context.Context, []v1alpha1.LoginSession) error) error {
	begin := func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		return c.Watch(ctx, &v1alpha1.LoginSessionList{}, append(scope, &client.ListOptions{Raw: &options})...)
	}
	watched, err := watchtools.NewRetryWatcherWithContext(ctx, from, &cache.ListWatch{WatchFuncWithContext: begin})
	if err != nil {
		return err
	}
	defer watched.Stop()
	for event := range watched.ResultChan() {
		session, ok := event.Object.(*v1alpha1.LoginSession)
		switch {
		case event.Type == watch.Error:
			return fmt.Errorf("watch LoginSessions: %w", apierrors.FromObject(event.Object))
		case !ok:
			continue
		case event.Type == watch.Deleted:
			p.say("LoginSession %s was deleted.", session.Name)
			continue
		}
		if err := show(ctx, []v1alpha1.LoginSession{*session}); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

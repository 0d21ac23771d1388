package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
)

// patience is how long a person who presses Tab waits for the cluster.
const patience = 3 * time.Second

// completeName completes the one argument that most commands have: the name of a
// LoginSession in the namespace.
func (p *plugin) completeName(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	ctx, cancel := context.WithTimeout(command.Context(), patience)
	defer cancel()
	c, err := p.connect()
	if err == nil {
		names, err = c.sessionNames(ctx)
	}
	if err != nil {
		cobra.CompErrorln(explain(err).Error())
		return nil, cobra.ShellCompDirectiveError
	}
	var matching []string
	for _, name := range names {
		if strings.HasPrefix(name, begun) {
			matching = append(matching, name)
		}
	}
	return matching, cobra.ShellCompDirectiveNoFileComp
}

func (c *cluster) sessionNames(ctx context.Context) ([]string, error) {
	sessions := &v1alpha1.LoginSessionList{}
	if err := c.List(ctx, sessions, client.InNamespace(c.namespace)); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(sessions.Items))
	for _, session := range sessions.Items {
		names = append(names, session.Name)
	}
	return names, nil
}

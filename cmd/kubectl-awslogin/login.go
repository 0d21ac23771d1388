package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

func (p *plugin) loginCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "login [NAME]",
		Short:             "Sign in to AWS for the cluster",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeName,
		RunE:              func(command *cobra.Command, args []string) error { return p.login(command.Context(), args) },
	}
}

func (p *plugin) login(context.Context, []string) error { return errors.New("not there yet") }

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"awslogin.dev/operator/internal/doctor"
)

func (p *plugin) doctorCommand() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "doctor [NAME]",
		Short: "Find out why a pod has no working credentials",
		Long: `Find out why pods have no working credentials: one line for each thing that is
wrong says what, where, and how to mend it. Without NAME it looks at all
LoginSessions and pods of the namespace.

It only reads, and prints nothing of what is in Secrets. It fails if it finds
something. What you may not read it leaves out, and says so.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeName,
		RunE: func(command *cobra.Command, args []string) error {
			return p.doctor(command.Context(), strings.Join(args, ""), output)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "json for an array of {check, object, problem, remedy}")
	return command
}

func (p *plugin) doctor(ctx context.Context, name, output string) error {
	if output != "" && output != "json" {
		return fmt.Errorf("unknown output format %q: there is json", output)
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	report, err := doctor.Examine(ctx, doctor.Subject{Config: c.config, API: c, Namespace: c.namespace, Name: name})
	if err != nil {
		return err
	}
	for _, leftOut := range report.LeftOut {
		p.say("Left out: %s.", leftOut)
	}
	if err := p.printReport(report, output); err != nil {
		return err
	}
	if found := len(report.Findings); found > 0 {
		return fmt.Errorf("%d problem(s) found", found)
	}
	return nil
}

func (p *plugin) printReport(report *doctor.Report, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(p.Out)
		encoder.SetIndent("", "    ") // as kubectl's
		encoder.SetEscapeHTML(false)
		return encoder.Encode(append([]doctor.Finding{}, report.Findings...))
	}
	for _, finding := range report.Findings {
		if _, err := fmt.Fprintln(p.Out, finding); err != nil {
			return err
		}
	}
	if len(report.Findings) == 0 {
		_, err := fmt.Fprintf(p.Out, "Nothing found. Looked at %s.\n", strings.Join(report.LookedAt, ", "))
		return err
	}
	return nil
}

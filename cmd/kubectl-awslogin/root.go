package main

import (
	"bufio"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"awslogin.dev/operator/internal/version"
)

// plugin is what all commands share: where to read and write, and kubectl's flags.
type plugin struct {
	genericiooptions.IOStreams
	answers *bufio.Reader // of In: one for all questions
	flags   *genericclioptions.ConfigFlags
}

func newCommand(streams genericiooptions.IOStreams) *cobra.Command {
	p := &plugin{IOStreams: streams, answers: bufio.NewReader(streams.In), flags: genericclioptions.NewConfigFlags(true)}
	p.flags.CacheDir = nil // nothing is cached
	root := &cobra.Command{
		Use:   "kubectl-awslogin",
		Short: "AWS credentials for pods from a person's `aws login` session",
		Annotations: map[string]string{
			cobra.CommandDisplayNameAnnotation: "kubectl awslogin",
		},
		Version:           version.Full(),
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		SilenceUsage:      true,
		SilenceErrors:     true, // run tells of them
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	p.flags.AddFlags(root.PersistentFlags())
	root.AddCommand(p.loginCommand(), p.importCommand(), p.statusCommand(), p.refreshCommand(),
		p.suspendCommand(), p.resumeCommand(), p.logoutCommand(), p.doctorCommand())
	return root
}

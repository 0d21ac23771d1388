package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// stay leaves everything running for a person to look at, until the demo ends.
func (d *demo) stay(ctx context.Context) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	d.suggest()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case received := <-signals:
			if err := d.act(ctx, received); err != nil {
				return err
			}
		}
	}
}

func (d *demo) suggest() {
	fmt.Printf(`
Everything keeps running until Ctrl-C. In another terminal:

  export KUBECONFIG=%s PATH=%s:$PATH
  kubectl get loginsession %[3]s -w
  kubectl describe loginsession %[3]s
  kubectl annotate loginsession %[3]s --overwrite awslogin.dev/refresh-requested-at="$(date)"  # refresh now
  kill -USR1 %[4]d  # end the login session at AWS: ReloginRequired, and failing calls within %[5]s
  kill -USR2 %[4]d  # `+"`aws login`"+` again: all is well a second later

`, d.kubeconfig, filepath.Dir(d.kubectlBin), sessionName, os.Getpid(), seconds(d.lifetime))
}

func (d *demo) act(ctx context.Context, received os.Signal) error {
	if received == syscall.SIGUSR2 {
		return d.signIn(ctx)
	}
	d.aws.EndSession(person)
	d.Say("the login session of %s was ended at AWS", person)
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/controlplane"
)

const operatorLog = "operator.log"

// startOperator runs the real operator. Its environment has nothing of the
// person's, so that no AWS setting of theirs plays a part.
func (d *demo) startOperator(ctx context.Context) error {
	probes, err := controlplane.FreeAddress()
	if err != nil {
		return err
	}
	command := exec.Command(d.operator, "--metrics-bind-address=0", "--health-probe-bind-address="+probes)
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + d.dir,
		"KUBECONFIG=" + d.kubeconfig,
		"AWS_ENDPOINT_URL_SIGNIN=" + d.awsURL,
		"AWS_ENDPOINT_URL_STS=" + d.awsURL,
	}
	d.Say("starting the operator (about 1 s), its log is %s ...", filepath.Join(d.dir, operatorLog))
	if _, err := d.Start("operator", filepath.Join(d.dir, operatorLog), command); err != nil {
		return err
	}
	if err := show.WaitUntilOK(ctx, "http://"+probes+"/readyz"); err != nil {
		return fmt.Errorf("the operator did not become ready: %w", err)
	}
	d.Say("the operator is ready")
	return nil
}

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"awslogin.dev/operator/hack/show"
)

const operatorLog = "operator.log"

// startOperator runs the real operator. Its environment has nothing of the
// person's, so that no AWS setting of theirs plays a part.
func (d *demo) startOperator(ctx context.Context) error {
	probes, err := show.FreeAddress()
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
	if err := d.start("operator", operatorLog, command); err != nil {
		return err
	}
	if err := waitUntilOK(ctx, "http://"+probes+"/readyz"); err != nil {
		return fmt.Errorf("the operator did not become ready: %w", err)
	}
	d.Say("the operator is ready")
	return nil
}

func waitUntilOK(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, fmt.Errorf("%s did not answer OK within 30 s", url))
	defer cancel()
	for !answersOK(ctx, url) {
		if err := show.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func answersOK(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

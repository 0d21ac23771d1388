package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const operatorLog = "operator.log"

// startOperator runs the real operator. Its environment has nothing of the
// person's, so that no AWS setting of theirs plays a part.
func (d *demo) startOperator(ctx context.Context) error {
	probes, err := freeAddress()
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
	d.say("starting the operator (about 1 s), its log is %s ...", filepath.Join(d.dir, operatorLog))
	if err := d.start("operator", operatorLog, command); err != nil {
		return err
	}
	if err := waitUntilOK(ctx, "http://"+probes+"/readyz"); err != nil {
		return fmt.Errorf("the operator did not become ready: %w", err)
	}
	d.say("the operator is ready")
	return nil
}

// freeAddress finds a port that nobody uses now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func waitUntilOK(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, fmt.Errorf("%s did not answer OK within 30 s", url))
	defer cancel()
	for !answersOK(ctx, url) {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
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

// sleep waits, or says why not.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

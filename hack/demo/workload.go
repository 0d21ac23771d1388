package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"awslogin.dev/operator/internal/controlplane"
)

const (
	workloadLog = "workload.log"
	python      = "/usr/bin/python3"
)

// workload counts the calls of the program that uses the mounted credentials.
type workload struct {
	mu     sync.Mutex
	who    string // of the last call that was answered
	calls  int
	failed int
	broken bool            // whether the last call failed
	first  string          // why the first failed call did
	keys   map[string]bool // the access keys that calls succeeded with
	called chan struct{}   // closed after the first call
}

// call is a line that the workload prints.
type call struct {
	AccessKeyID string `json:"accessKeyId"`
	ARN         string `json:"arn"`
	Error       string `json:"error"`
}

func newWorkload() *workload {
	return &workload{keys: map[string]bool{}, called: make(chan struct{})}
}

// startWorkload runs the workload with nothing but the mounted files: no
// environment of the person's, no home directory, no other source of credentials.
func (d *demo) startWorkload(ctx context.Context) error {
	files := filepath.Join(d.kubelet.dir, "config")
	d.Say("starting the workload (about 1 s) with AWS_CONFIG_FILE=%s ...", files)
	command, sdk, err := d.workloadCommand(ctx)
	if err != nil {
		return err
	}
	d.Say("workload: asks AWS STS who it is, several times a second, with %s", sdk)
	reader, writer := io.Pipe()
	command.Stdout = writer
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Join(d.dir, "home"),
		"AWS_CONFIG_FILE=" + files,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", // boto3 reads the second only
		"AWS_ENDPOINT_URL_STS=" + d.awsURL,
	}
	go d.workload.follow(reader, d.Say)
	if _, err = d.Start("workload", filepath.Join(d.dir, workloadLog), command); err != nil {
		return err
	}
	return d.workload.waitCalled(ctx)
}

func (w *workload) waitCalled(ctx context.Context) error {
	const patience = 20 * time.Second
	select {
	case <-w.called:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(patience):
		return fmt.Errorf("the workload has not called AWS STS within %s", seconds(patience))
	}
}

// workloadCommand chooses boto3 where it is installed, else the program with the
// SDK for Go.
func (d *demo) workloadCommand(ctx context.Context) (command *exec.Cmd, sdk string, err error) {
	if d.sdk != "go" {
		version, err := exec.CommandContext(ctx, python, "-c", "import boto3; print(boto3.__version__)").Output()
		if err == nil {
			script := filepath.Join(controlplane.Root(), "hack", "workload", "workload.py")
			return exec.Command(python, script), "boto3 " + strings.TrimSpace(string(version)), nil
		}
		if d.sdk == "boto3" {
			return nil, "", fmt.Errorf("%s has no boto3: %w", python, err)
		}
	}
	return exec.Command(d.goWorkload), "the AWS SDK for Go,\n         which reads the files again when its credentials have expired", nil
}

// follow counts the calls, and says so when one is different from those before.
func (w *workload) follow(output io.Reader, say func(string, ...any)) {
	for lines := json.NewDecoder(output); ; {
		var c call
		if lines.Decode(&c) != nil {
			return
		}
		if news := w.count(c); news != "" {
			say("workload: %s", news)
		}
	}
}

// count takes note of a call, and returns what is new about it.
func (w *workload) count(c call) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.calls == 1 {
		close(w.called)
	}
	if c.Error != "" {
		return w.countFailure(c)
	}
	changed := w.broken || c.ARN != w.who
	w.broken, w.who = false, c.ARN
	w.keys[c.AccessKeyID] = true
	if changed {
		return "AWS STS says that it is " + c.ARN
	}
	return ""
}

func (w *workload) countFailure(c call) string {
	w.failed++
	if w.first == "" {
		w.first = c.Error
	}
	changed := !w.broken
	w.broken = true
	if changed {
		return "a call failed: " + c.Error
	}
	return ""
}

// principal is who AWS STS said last that the workload is.
func (w *workload) principal() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.who
}

// result is the number of calls and of failed ones so far, how many access keys
// calls succeeded with, and why the first one failed.
func (w *workload) result() (calls, failed, keys int, first string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls, w.failed, len(w.keys), w.first
}

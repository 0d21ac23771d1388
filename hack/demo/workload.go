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

	"awslogin.dev/operator/internal/controlplane"
)

const (
	workloadLog = "workload.log"
	python      = "/usr/bin/python3"
)

// workload counts the calls of the program that uses the mounted credentials.
type workload struct {
	say func(string, ...any)

	mu     sync.Mutex
	who    string // of the last call that was answered
	calls  int
	failed int
	broken bool            // whether the last call failed
	first  string          // why the first failed call did
	keys   map[string]bool // the access keys that calls were signed with
	called chan struct{}   // closed after the first call
}

// call is a line that the workload prints.
type call struct {
	AccessKeyID string `json:"accessKeyId"`
	ARN         string `json:"arn"`
	Error       string `json:"error"`
}

// startWorkload runs the workload with nothing but the mounted files: no
// environment of the person's, no home directory, no other source of credentials.
func (d *demo) startWorkload(ctx context.Context) error {
	command, sdk, err := d.workloadCommand(ctx)
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	command.Stdout = writer
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + filepath.Join(d.dir, "home"),
		"AWS_CONFIG_FILE=" + filepath.Join(d.kubelet.dir, "config"),
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", // boto3 reads the second only
		"AWS_ENDPOINT_URL_STS=" + d.awsURL,
	}
	d.workload = &workload{say: d.say, keys: map[string]bool{}, called: make(chan struct{})}
	go d.workload.follow(reader)
	d.say("starting the workload: it asks AWS STS who it is, several times a second, with %s", sdk)
	d.show("and AWS_CONFIG_FILE=" + filepath.Join(d.kubelet.dir, "config"))
	if _, err = d.start("workload", workloadLog, command); err != nil {
		return err
	}
	select {
	case <-d.workload.called:
	case <-ctx.Done():
	}
	return nil
}

// workloadCommand chooses boto3 where it is installed, else the SDK that is part
// of this program.
func (d *demo) workloadCommand(ctx context.Context) (command *exec.Cmd, sdk string, err error) {
	if d.sdk != "go" {
		version, err := exec.CommandContext(ctx, python, "-c", "import boto3; print(boto3.__version__)").Output()
		if err == nil {
			script := filepath.Join(controlplane.Root(), "hack", "demo", "workload.py")
			return exec.Command(python, script), "boto3 " + strings.TrimSpace(string(version)), nil
		}
		if d.sdk == "boto3" {
			return nil, "", fmt.Errorf("%s has no boto3: %w", python, err)
		}
	}
	self, err := os.Executable()
	return exec.Command(self, goWorkloadArgument), "the AWS SDK for Go", err
}

func (w *workload) follow(output io.Reader) {
	for lines := json.NewDecoder(output); ; {
		var c call
		if lines.Decode(&c) != nil {
			return
		}
		w.count(c)
	}
}

// count takes note of a call, and says so when something is different from before.
func (w *workload) count(c call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.calls == 1 {
		defer close(w.called)
	}
	w.keys[c.AccessKeyID] = true
	if c.Error != "" {
		w.countFailure(c)
		return
	}
	if w.broken || c.ARN != w.who {
		w.say("workload: AWS STS says that it is %s", c.ARN)
	}
	w.broken, w.who = false, c.ARN
}

func (w *workload) countFailure(c call) {
	w.failed++
	if w.first == "" {
		w.first = c.Error
	}
	if !w.broken {
		w.say("workload: a call failed: %s", c.Error)
	}
	w.broken = true
}

// result is the number of calls and of failed ones so far, how many access keys
// they were signed with, and why the first one failed.
func (w *workload) result() (calls, failed, keys int, first string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls, w.failed, len(w.keys), w.first
}

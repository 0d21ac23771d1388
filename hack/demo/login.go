package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

// login is one command, as a person types it. The browser in which they consent is
// imitated too.
func (d *demo) login(ctx context.Context) error {
	plugins, err := filepath.Abs(filepath.Dir(d.plugin)) // kubectl looks for them in PATH
	if err != nil {
		return err
	}
	d.aws.SetPerson(person)
	command := exec.CommandContext(ctx, d.kubectlBin, "awslogin", "login", sessionName, "--no-browser", "--workload-region", "us-east-1")
	command.Env = []string{
		"PATH=" + plugins + ":" + os.Getenv("PATH"),
		"HOME=" + d.dir,
		"KUBECONFIG=" + d.kubeconfig,
		"AWS_ENDPOINT_URL_SIGNIN=" + d.awsURL,
	}
	output, err := command.StderrPipe()
	if err != nil {
		return err
	}
	command.Stdout = command.Stderr
	d.Say("signing in, with one command")
	d.Below("\n$ kubectl " + strings.Join(command.Args[1:], " "))
	typed := time.Now()
	if err := command.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		d.Below(lines.Text() + "\n")
		if err := d.consent(strings.TrimSpace(lines.Text())); err != nil {
			return err
		}
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("kubectl awslogin login: %w", err)
	}
	d.Below("\n")
	d.Say("Ready %s after that command was typed, by a person who consents at once", seconds(time.Since(typed)))
	return nil
}

// consent is what the person does when they are told to open a page.
func (d *demo) consent(told string) error {
	if !strings.HasPrefix(told, d.awsURL) {
		return nil
	}
	d.Below("  (" + person + " opens it and consents)\n")
	_, _, err := fakeaws.Browse(told, "allow")
	return err
}

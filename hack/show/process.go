package show

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"
)

// Process is a program that runs beside the show.
type Process struct {
	*exec.Cmd
	name     string
	ended    chan struct{}
	expected atomic.Bool // that it ends
}

// Start runs a command until it is stopped, at the end of the show if not before; that
// it ends by itself is a failure. What it writes to standard error, and to standard
// output where the command does not say otherwise, goes to a file.
func (s *Show) Start(name, log string, command *exec.Cmd) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	command.Stderr = file
	if command.Stdout == nil {
		command.Stdout = file
	}
	command.WaitDelay = time.Second
	// Ctrl-C reaches all of the terminal's foreground group; the show alone is to
	// act on it, and to stop the others in order.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := errors.Join(command.Start(), file.Close()); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	p := &Process{Cmd: command, name: name, ended: make(chan struct{})}
	s.CleanUp(p.Stop)
	go func() {
		defer close(p.ended)
		_ = command.Wait() // the state says more
		if !p.expected.Load() {
			s.Fail(fmt.Errorf("the %s ended by itself: %s", name, command.ProcessState))
		}
	}()
	return p, nil
}

// Stop ends the process and those that it started; it may have ended before.
func (p *Process) Stop() error {
	p.expected.Store(true)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = syscall.Kill(-p.Process.Pid, signal) // fails where nothing is left to stop
		select {
		case <-p.ended:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return fmt.Errorf("the %s, process %d, does not end", p.name, p.Process.Pid)
}

// WaitUntilOK waits for a program to answer that it is ready.
func WaitUntilOK(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, fmt.Errorf("%s did not answer OK within 30 s", url))
	defer cancel()
	for !answersOK(ctx, url) {
		if err := Sleep(ctx, 100*time.Millisecond); err != nil {
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

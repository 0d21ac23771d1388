package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a program that runs beside the demo.
type process struct {
	name    string
	command *exec.Cmd
	ended   chan struct{}
}

// start runs a command until the demo ends; that it ends earlier is a failure.
// What it writes to standard error, and to standard output where the command
// does not say otherwise, goes to a file of the temporary directory.
func (d *demo) start(name, logName string, command *exec.Cmd) error {
	file, err := os.Create(filepath.Join(d.dir, logName))
	if err != nil {
		return err
	}
	command.Stderr = file
	if command.Stdout == nil {
		command.Stdout = file
	}
	command.WaitDelay = time.Second
	// Ctrl-C reaches all of the terminal's foreground group; the demo alone is to
	// act on it, and to stop the others in order.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := errors.Join(command.Start(), file.Close()); err != nil {
		return fmt.Errorf("start the %s: %w", name, err)
	}
	p := &process{name: name, command: command, ended: make(chan struct{})}
	d.CleanUp(p.stop)
	go func() {
		defer close(p.ended)
		_ = command.Wait() // the state says more
		d.Fail(fmt.Errorf("the %s ended by itself: %s", name, command.ProcessState))
	}()
	return nil
}

// stop ends the process and those that it started.
func (p *process) stop() error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = syscall.Kill(-p.command.Process.Pid, signal) // fails where nothing is left to stop
		select {
		case <-p.ended:
			return nil
		case <-time.After(10 * time.Second):
		}
	}
	return fmt.Errorf("the %s, process %d, does not end", p.name, p.command.Process.Pid)
}

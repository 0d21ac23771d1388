package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a program that runs beside the demo.
type process struct {
	command *exec.Cmd
	ended   chan struct{}
}

// start runs a command until the demo ends; that it ends earlier is a failure.
// What it writes to standard error, and to standard output where the command
// does not say otherwise, goes to a file of the temporary directory.
func (d *demo) start(name, logName string, command *exec.Cmd) (*process, error) {
	file, err := os.Create(filepath.Join(d.dir, logName))
	if err != nil {
		return nil, err
	}
	command.Stderr = file
	if command.Stdout == nil {
		command.Stdout = file
	}
	command.WaitDelay = time.Second
	// Ctrl-C reaches all of the terminal's foreground group; the demo alone is to
	// act on it, and to stop the others in order.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		file.Close()
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	p := &process{command: command, ended: make(chan struct{})}
	d.cleanUp(p.stop)
	go func() {
		defer close(p.ended)
		defer file.Close()
		command.Wait() // its error says less than the state
		d.fail(fmt.Errorf("the %s ended by itself: %s", name, command.ProcessState))
	}()
	return p, nil
}

// stop ends the process and those that it started.
func (p *process) stop() {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		syscall.Kill(-p.command.Process.Pid, signal) // fails where nothing is left to stop
		select {
		case <-p.ended:
			return
		case <-time.After(10 * time.Second):
		}
	}
}

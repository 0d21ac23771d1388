package sdktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// Identity is what a program answers: who it is to AWS STS, or why it cannot tell.
type Identity struct {
	Arn, Account, Region string
	Error                string
	Version              string // of the SDK
}

// Process is a running program that answers every line that it is sent.
type Process struct {
	command *exec.Cmd
	lines   io.WriteCloser
	answers chan Identity
	stderr  bytes.Buffer // to be read when answers is closed
}

// Start runs a program with nothing but the given environment.
func Start(program, environment []string) (*Process, error) {
	p := &Process{command: exec.Command(program[0], program[1:]...), answers: make(chan Identity)}
	p.command.Env, p.command.Stderr = environment, &p.stderr
	lines, err := p.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = lines
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.command, err)
	}
	go p.listen(stdout)
	return p, nil
}

func (p *Process) listen(stdout io.Reader) {
	defer close(p.answers)
	for decoder := json.NewDecoder(stdout); ; {
		var identity Identity
		if decoder.Decode(&identity) != nil {
			break
		}
		p.answers <- identity
	}
	_ = p.command.Wait() // has all of its last words arrive; its state is known from them
}

// Ask sends a line and returns an answer. Several may be under way at a time.
func (p *Process) Ask() (Identity, error) {
	_, _ = io.WriteString(p.lines, "\n") // that a program has ended shows below
	identity, ok := <-p.answers
	if !ok {
		return Identity{}, p.died()
	}
	if identity.Error != "" {
		return identity, errors.New(identity.Error)
	}
	return identity, nil
}

func (p *Process) died() error {
	for range p.answers {
	}
	return fmt.Errorf("%s ended: %s\n%s", p.command, p.command.ProcessState, &p.stderr)
}

// Close ends the program. Nobody may be asking.
func (p *Process) Close() {
	_ = p.lines.Close()
	_ = p.command.Process.Kill()
	for range p.answers {
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// say tells a person what goes on. Standard output is for results.
func (p *plugin) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.ErrOut, format+"\n", args...)
}

var errNoAnswer = errors.New("there is nobody to answer")

// ask reads a line, or gives up with the context: a read from a terminal cannot be
// taken back, so the program has to end then.
func (p *plugin) ask(ctx context.Context, question string) (string, error) {
	_, _ = fmt.Fprint(p.ErrOut, question)
	type line struct {
		text string
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := p.answers.ReadString('\n')
		lines <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		_, _ = fmt.Fprintln(p.ErrOut)
		return "", ctx.Err()
	case got := <-lines:
		if got.text == "" && got.err != nil { // the end of a file, as without a terminal
			_, _ = fmt.Fprintln(p.ErrOut)
			return "", errNoAnswer
		}
		return strings.TrimSpace(got.text), nil
	}
}

// confirm asks for a yes. Without somebody to answer it is a no that says how to
// answer beforehand.
func (p *plugin) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	answer, err := p.ask(ctx, question+" [y/N] ")
	switch {
	case errors.Is(err, errNoAnswer):
		return errors.New("nobody is there to confirm it: run the command again with --yes")
	case err != nil: // the context's
		return errors.New("interrupted")
	case !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes"):
		return errors.New("not confirmed")
	}
	return nil
}

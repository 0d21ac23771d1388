package main

import (
	"strings"
	"testing"
)

func TestNamesOfLoginSessionsAreCompleted(t *testing.T) {
	s, other := newShell(t), newShell(t)
	s.createSession("dev")
	s.createSession("data")
	s.createSession("prod")
	other.createSession("development")

	// kubectl passes all flags on, and cobra's hidden command answers. The last
	// line tells the shell that files are no answer.
	r := s.run("", "__complete", "--kubeconfig", kubeconfig, "-n", s.namespace, "login", "d")
	s.must(r.err)
	if got := strings.Fields(r.output); strings.Join(got, " ") != "data dev :4" {
		t.Errorf("completed: %q", got)
	}
}

package main

import (
	"testing"
)

func TestOneCommandLeadsFromNothingToReady(t *testing.T) {
	s := newShell(t)
	r := s.run("", "login", "--no-browser")
	t.Log("\n" + r.messages + r.output)
	s.must(r.err)
}

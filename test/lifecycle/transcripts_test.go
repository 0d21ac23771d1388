package lifecycle

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/transcript"
)

var update = flag.Bool("update", false, "write the transcripts into docs/operations.md")

// TestTranscriptsOfOperations runs the commands of README and docs/operations.md, as
// they are there, one after the other: `make transcripts` writes what they print.
func TestTranscriptsOfOperations(t *testing.T) {
	s := newStage(t)
	s.render("default", "install", currentImage)
	s.shell("kubectl config set-context --current --namespace " + namespace)
	s.program("aws", `cp "$LOGIN" "$AWS_LOGIN_CACHE_DIRECTORY"`)
	login := aws.Login(alice)
	s.write(login.FileName(), string(login.Cache()))
	t.Setenv("LOGIN", filepath.Join(folder, login.FileName()))
	readme := s.page("README.md")
	s.write("loginsession.yaml", block(t, readme, "**4. Say what you want.**", "yaml"))
	document := transcript.Open(t, filepath.Join(controlplane.Root(), "docs", "operations.md"), *update)
	for _, step := range []struct {
		name     string
		prepare  func()
		commands string
	}{
		{"install", nil, only(`kubectl`, block(t, readme, "**1. Install the operator.**", "sh"))},
		{"sign-in", nil, block(t, readme, "**2. Sign in, for the cluster alone.**", "sh") + block(t, readme, "**3. Store it in a Secret.**", "sh")},
		{"session", nil, only(`kubectl apply`, block(t, readme, "**4. Say what you want.**", "sh")) +
			"kubectl wait loginsession dev --for=condition=Ready --timeout=60s\nkubectl get loginsession\n"},
		{"upgrade", func() { s.render("default", "install", nextImage) }, s.commands("## Upgrade")},
		{"uninstall", s.awaitCollector, s.commands(everything)},
	} {
		if step.prepare != nil {
			step.prepare()
		}
		document.Expect(t, step.name, likeAlways(s.shell(echoed(step.commands))))
	}
	document.Close(t)
	s.expectChanges("new: secrets data/dev-login")
}

// program puts a shell script in front of what the person has.
func (s *stage) program(name, script string) {
	s.Helper()
	own := s.TempDir()
	s.must(os.WriteFile(filepath.Join(own, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	s.Setenv("PATH", own+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestSessionMoves follows docs/operations.md from one namespace to another, as from one
// cluster to another.
func TestSessionMoves(t *testing.T) {
	s := newStage(t)
	s.install("default")
	t.Cleanup(func() { s.shell(atOnce) })
	s.signIn("dev-login")
	s.write("loginsession.yaml", block(t, s.page("README.md"), "**4. Say what you want.**", "yaml"))
	s.makeNamespace("elsewhere")
	t.Cleanup(func() { s.deleteNamespace("elsewhere") })
	use := "kubectl config set-context --current --namespace "
	s.shell(use + namespace + "\nkubectl apply -f loginsession.yaml\nkubectl wait loginsession dev --for=condition=Ready --timeout=60s")
	s.awaitRefresh("dev", fakeaws.Fault{Rotate: true, Delay: time.Second})
	s.shell(s.commands("**One session belongs to one cluster.**"))
	s.shell(use + "elsewhere\n" + s.commands("And there, with the LoginSession's manifest:"))
	s.shell("kubectl wait loginsession dev --for=condition=Ready --timeout=60s")
	before := aws.Stats()
	s.shell("kubectl annotate loginsession dev awslogin.dev/refresh-requested-at=now\nkubectl wait loginsession dev --for=jsonpath='{.status.refresh.lastHandledRequestAt}'=now --timeout=30s")
	if after := aws.Stats(); after.Rotated != before.Rotated+1 || after.Replayed != before.Replayed {
		t.Errorf("AWS saw %+v, and before %+v", after, before)
	}
}

func (s *stage) page(path string) string {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(controlplane.Root(), filepath.FromSlash(path)))
	s.must(err)
	return string(text)
}

// block is the first code block of a language below a text.
func block(t *testing.T, page, below, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, below)
	_, rest, opened := strings.Cut(rest, "```"+language+"\n")
	text, _, closed := strings.Cut(rest, "```\n")
	if !found || !opened || !closed {
		t.Fatalf("there is no %s block below %q", language, below)
	}
	return text
}

// only the commands that begin so.
func only(begin, commands string) (kept string) {
	for line := range strings.Lines(commands) {
		if strings.HasPrefix(line, begin) {
			kept += line
		}
	}
	return kept
}

var whole = regexp.MustCompile(`(?m)(?:^.*(?:\\|\|)\n)*^.+\n`)

// echoed is a script that shows each command before it runs it, as a terminal does.
func echoed(commands string) (script string) {
	for _, command := range whole.FindAllString(commands, -1) {
		script += fmt.Sprintf("cat <<'SHOWN'\n$ %sSHOWN\n%s", command, command)
	}
	return "set -e\n" + script
}

var (
	waiting = regexp.MustCompile(`(?m)^Waiting for deployment .*\n`)
	within  = regexp.MustCompile(`(?m)^(serviceaccount|role|poddisruptionbudget).* deleted from awslogin-system namespace\n`) // or by its end
	row     = regexp.MustCompile(`\S+Z( +)\S+Z( +)\d+[smh]\S*`)                                                               // EXPIRES, NEXT-REFRESH and AGE
)

// likeAlways has examples in place of times, and says nothing of how long it took.
func likeAlways(text string) string {
	text = within.ReplaceAllString(waiting.ReplaceAllString(text, ""), "")
	return row.ReplaceAllString(text, "2026-11-26T09:14:58Z${1}2026-11-26T09:04:43Z${2}2s")
}

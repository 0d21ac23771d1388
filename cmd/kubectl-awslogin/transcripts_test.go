package main

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/transcript"
)

var update = flag.Bool("update", false, "write the transcripts into docs/kubectl-awslogin.md")

// What the document shows is what a person sees who types these commands, one after the
// other: `make transcripts` writes it.
func TestTranscriptsAreWhatTheCommandsPrint(t *testing.T) {
	s := newShell(t)
	for _, name := range []string{"batch", "data"} { // the last one is the current one
		s.must(client.IgnoreAlreadyExists(api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})))
		s.namespace = name
		s.leaveNothing()
	}
	s.browserProgram("exit")
	cache := filepath.Dir(s.laptop("dev", aws, nil).path)
	document := transcript.Open(t, filepath.Join(controlplane.Root(), "docs", "kubectl-awslogin.md"), *update)
	steps := []struct {
		name    string
		prepare func()
		command string
		answer  string
	}{
		{"login", nil, "login dev --workload-region us-east-1", ""},
		{"login-again", nil, "login", ""},
		{"import", nil, "import -n batch --profile dev --move", ""},
		{"status", func() { s.admit(healthy(ofKind("ReplicaSet", "web-7d9f"), named("web-7d9f-x2x7k"))) }, "status", ""},
		{"status-all", nil, "status -A", ""},
		{"refresh", nil, "refresh", ""},
		{"suspend", nil, "suspend", ""},
		{"resume", nil, "resume", ""},
		{"doctor-healthy", nil, "doctor", ""},
		{"doctor", func() {
			s.admit(healthy(ofKind("ReplicaSet", "api-7d9f"), named("api-7d9f-8kq4z"), set("AWS_PROFILE", "prod")))
		}, "doctor", ""},
		{"logout", nil, "logout dev", "y"},
	}
	for _, step := range steps {
		if step.prepare != nil {
			step.prepare()
		}
		printed := s.transcript(step.command, step.answer)
		if step.name != "login" {
			printed = snippets.ReplaceAllString(printed, "\n  ...\n") // once is enough
		}
		printed = strings.ReplaceAll(printed, cache, "~/.aws/login/cache")
		document.Expect(t, step.name, "$ kubectl awslogin "+step.command+"\n"+printed)
	}
	document.Close(t)
}

func named(name string) change { return func(p *patient) { p.pod.Name = name } }

// transcript is all that a terminal shows after a command was typed, except what differs
// from run to run.
func (s *shell) transcript(command, answer string) string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	terminal := &screen{browse: s.browse}
	streams := genericiooptions.IOStreams{In: strings.NewReader(answer + "\n"), Out: terminal, ErrOut: terminal}
	err := run(ctx, append([]string{"--kubeconfig", s.kubeconfig, "--namespace", s.namespace}, strings.Fields(command)...), streams)
	terminal.browsing.Wait()
	text := terminal.text.String()
	if failed := err != nil; failed != strings.Contains(text, "error: ") || strings.Contains(text, canary) {
		s.Errorf("ended with %v, and printed\n%s", err, text)
	}
	return likeAlways(strings.ReplaceAll(text, "[y/N] ", "[y/N] "+answer+"\n"))
}

var (
	snippets  = regexp.MustCompile(`(?s)\n  containers:\n.*`)
	anyPage   = regexp.MustCompile(`http://127\.0\.0\.1:\d+(/v1/authorize)\S+`)
	anyMoment = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+, in ((?:\d+[hms])+)`)
	anySpan   = regexp.MustCompile(`\bin ((?:\d+[hms])+) *`)
	padding   = regexp.MustCompile(`(?m) +$`)
	impatient = regexp.MustCompile(`(?m)^The operator has not reported anything yet\..*\n`) // on a slow machine
)

// likeAlways has examples in place of addresses and times.
func likeAlways(text string) string {
	text = anyPage.ReplaceAllString(text, "https://us-east-1.signin.aws.amazon.com$1?response_type=code&client_id=...")
	text = anyMoment.ReplaceAllStringFunc(text, func(found string) string {
		moment, _ := example(anyMoment.FindStringSubmatch(found)[1])
		return moment + ", in " + anyMoment.FindStringSubmatch(found)[1]
	})
	text = anySpan.ReplaceAllStringFunc(text, func(found string) string {
		_, span := example(anySpan.FindStringSubmatch(found)[1])
		return fmt.Sprintf("%-*s", len(found), "in "+span) // tables keep their columns
	})
	return impatient.ReplaceAllString(padding.ReplaceAllString(text, ""), "")
}

// example stands for each time that is as far away: the end of the session, that of the
// credentials, and their next refresh.
func example(span string) (moment, shown string) {
	switch away, _ := time.ParseDuration(span); {
	case away > time.Hour:
		return "2026-11-26 21:00:00 CET", "11h"
	case away > 10*time.Minute:
		return "2026-11-26 09:14:58 CET", "14m"
	}
	return "2026-11-26 09:04:43 CET", "4m43s"
}

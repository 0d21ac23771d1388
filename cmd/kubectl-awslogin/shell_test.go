package main

import (
	"bytes"
	"context"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
)

const (
	alice = "arn:aws:sts::111122223333:assumed-role/Developer/alice"
	bob   = "arn:aws:sts::111122223333:assumed-role/Developer/bob"

	// canary is in every secret of the imitation of AWS.
	canary = "CANARY7x"
)

// shell is a person at a terminal, in a namespace of their own.
type shell struct {
	*testing.T
	namespace  string
	kubeconfig string

	// browse is what the person does with a page that they are told to open.
	browse func(page string)
}

// clipboard is pasted once there is something in it.
type clipboard struct {
	content chan string
	reader  io.Reader
}

func (c *clipboard) Read(p []byte) (int, error) {
	if c.reader == nil {
		c.reader = strings.NewReader(<-c.content)
	}
	return c.reader.Read(p)
}

func newShell(t *testing.T) *shell {
	t.Helper()
	t.Setenv("AWS_ENDPOINT_URL_SIGNIN", awsURL)
	aws.SetPerson(alice)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "plugin-"}}
	s := &shell{T: t, kubeconfig: kubeconfig}
	s.must(api.Create(t.Context(), namespace))
	s.namespace = namespace.Name
	s.leaveNothing()
	s.browse = func(page string) { s.consent(page, "allow") }
	return s
}

// leaveNothing of the namespace that later tests could see.
func (s *shell) leaveNothing() {
	namespace := s.namespace
	s.Cleanup(func() {
		for _, kind := range []client.Object{&v1alpha1.LoginSession{}, &corev1.Secret{}, &corev1.Pod{}} {
			s.must(api.DeleteAllOf(context.Background(), kind, client.InNamespace(namespace)))
		}
	})
}

// browserProgram is what opens pages, a shell script; the person is who reads them.
func (s *shell) browserProgram(script string) {
	s.Helper()
	folder := s.TempDir()
	s.must(os.WriteFile(filepath.Join(folder, "xdg-open"), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
	s.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

func (s *shell) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// result is what a command printed and how it ended.
type result struct {
	output, messages string
	err              error
}

// run types a command, with input for its questions.
func (s *shell) run(input string, args ...string) result {
	s.Helper()
	return s.runContext(s.Context(), strings.NewReader(input), args...)
}

func (s *shell) runContext(ctx context.Context, input io.Reader, args ...string) result {
	s.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	output, messages := &bytes.Buffer{}, &screen{browse: s.browse}
	streams := genericiooptions.IOStreams{In: input, Out: output, ErrOut: messages}
	err := run(ctx, append([]string{"--kubeconfig", s.kubeconfig, "--namespace", s.namespace}, args...), streams)
	messages.browsing.Wait()
	r := result{output.String(), messages.text.String(), err}
	if strings.Contains(r.output+r.messages, canary) {
		s.Errorf("a secret was printed:\n%s%s", r.messages, r.output)
	}
	return r
}

// screen keeps what is shown, and has the person open the page they are shown.
type screen struct {
	mutex    sync.Mutex
	text     strings.Builder
	browse   func(page string)
	browsing sync.WaitGroup
}

var page = regexp.MustCompile(`\n  (http\S+/v1/authorize\S+)\n`)

func (s *screen) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if match := page.FindSubmatch(p); match != nil {
		shown := string(match[1]) // p is the writer's again afterwards
		s.browsing.Go(func() { s.browse(shown) })
	}
	return s.text.Write(p)
}

// consent answers the consent page, and returns the page that the browser ends at.
func (s *shell) consent(page, decision string) string {
	_, body, err := fakeaws.Browse(page, decision)
	if err != nil {
		s.Error(err)
	}
	return body
}

var shownCode = regexp.MustCompile(`<pre id="code">([^<]+)</pre>`)

// codeOn is what a person copies from the confirmation page.
func (s *shell) codeOn(page string) string {
	match := shownCode.FindStringSubmatch(page)
	if match == nil {
		s.Errorf("there is no code on %s", page)
		return ""
	}
	return html.UnescapeString(match[1])
}

func (s *shell) key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: s.namespace, Name: name}
}

func (s *shell) session(name string) *v1alpha1.LoginSession {
	s.Helper()
	session := &v1alpha1.LoginSession{}
	s.must(api.Get(s.Context(), s.key(name), session))
	return session
}

func (s *shell) secret(name string) *corev1.Secret {
	s.Helper()
	secret := &corev1.Secret{}
	s.must(client.IgnoreNotFound(api.Get(s.Context(), s.key(name), secret)))
	return secret
}

func (s *shell) createSession(name string, changes ...func(*v1alpha1.LoginSession)) {
	s.Helper()
	session := &v1alpha1.LoginSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec:       v1alpha1.LoginSessionSpec{LoginCacheSecretRef: v1alpha1.LoginCacheSecretRef{Name: name + "-login"}},
	}
	for _, change := range changes {
		change(session)
	}
	s.must(api.Create(s.Context(), session))
}

func (s *shell) createSecret(name string, data map[string][]byte, changes ...func(*corev1.Secret)) {
	s.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, Data: data}
	for _, change := range changes {
		change(secret)
	}
	s.must(api.Create(s.Context(), secret))
}

// await waits for what another process has to do.
func (s *shell) await(what string, done func() bool) {
	s.Helper()
	err := wait.PollUntilContextTimeout(s.Context(), 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		return done(), nil
	})
	if err != nil {
		s.Errorf("in vain waited for: %s", what)
	}
}

// running is a command that has not ended yet.
type running struct {
	output    *screen
	interrupt func() error
}

func (r *running) printed() string {
	r.output.mutex.Lock()
	defer r.output.mutex.Unlock()
	return r.output.text.String()
}

// start types a command that goes on until it is interrupted.
func (s *shell) start(args ...string) *running {
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	r := &running{output: &screen{}}
	r.interrupt = func() error { cancel(); return <-ended }
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: r.output, ErrOut: r.output}
	go func() {
		ended <- run(ctx, append([]string{"--kubeconfig", s.kubeconfig, "--namespace", s.namespace}, args...), streams)
	}()
	return r
}

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/loginrefresh"
)

func TestPlainYAMLBecomesCredentialsThatKeepRotating(t *testing.T) {
	s := newStage(t)
	s.start(nil)
	login := s.aws.Login(alice)
	s.must(api.Create(s.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "dev-login"},
		Data:       map[string][]byte{login.FileName(): login.Cache()},
	}))
	sample, err := os.ReadFile(filepath.Join(controlplane.Root(), "config/samples/loginsession.yaml"))
	s.must(err)
	s.apply(string(sample))
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")

	seen := map[string]bool{}
	s.await("three rotations published", func() bool {
		seen[s.get("dev").Status.Credentials.AccessKeyID] = true
		return len(seen) > 3
	})
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	stored, err := loginrefresh.Parse(s.secret("dev-login").Data[login.FileName()])
	s.must(err)
	first, err := loginrefresh.Parse(login.Cache())
	s.must(err)
	if stored.Fingerprint() == first.Fingerprint() || stored.KeyThumbprint() != first.KeyThumbprint() {
		t.Error("the rotated login cache was not written back")
	}
	s.await("status, login cache and target agree", func() bool {
		id := s.get("dev").Status.Credentials.AccessKeyID
		return strings.Contains(string(s.secret("dev-login").Data[login.FileName()]), id) &&
			strings.Contains(string(s.secret("dev").Data["credentials.json"]), id)
	})
	if status := s.get("dev").Status; status.Identity.ARN != alice || status.NextRefreshAt == nil {
		t.Errorf("status is %+v", status)
	}
	if stats := s.aws.Stats(); stats.Refused > 0 || stats.MaxInFlight > 1 {
		t.Errorf("AWS saw %+v", stats)
	}
	s.await("an event of the transition", func() bool {
		var events corev1.EventList
		s.must(api.List(s.ctx, &events, client.InNamespace(s.namespace)))
		return len(events.Items) == 1 && events.Items[0].Reason == "Refreshed" && events.Items[0].InvolvedObject.Name == "dev"
	})
}

func TestChangesAreSeenAtOnce(t *testing.T) {
	s := newStage(t)
	s.aws.SetLifetime(15 * time.Minute) // so that no timer helps
	s.start(nil)
	s.applySession("dev")
	s.awaitReady("dev", metav1.ConditionFalse, "LoginCacheNotFound")

	s.signIn()
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")

	s.must(api.Delete(s.ctx, s.secret("dev")))
	s.await("the deleted target is back", func() bool { return s.secret("dev").Name != "" })

	s.aws.EndSession(alice)
	session := s.get("dev")
	session.Annotations = map[string]string{"awslogin.dev/refresh-requested-at": "now"}
	s.must(api.Update(s.ctx, session))
	s.awaitReady("dev", metav1.ConditionFalse, "ReloginRequired")
	s.signIn()
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")

	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "taken"}}
	s.must(api.Create(s.ctx, foreign))
	s.applySession("dev", "target: {secretName: taken}")
	s.awaitReady("dev", metav1.ConditionFalse, "TargetConflict")
	s.must(api.Delete(s.ctx, foreign))
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
}

func TestBadLoginCachesDoNotDisturbOthers(t *testing.T) {
	s := newStage(t)
	s.start([]string{"--max-concurrent-reconciles=1"})
	for name, cache := range map[string]string{"c-null": "null", "c-empty": "", "c-wrong": `{"accessToken": 1}`} {
		s.must(api.Create(s.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, StringData: map[string]string{"a.json": cache}}))
		s.apply("{apiVersion: awslogin.dev/v1alpha1, kind: LoginSession, metadata: {name: s-" + name + "}, spec: {loginCacheSecretRef: {name: " + name + "}}}")
	}
	s.signIn()
	s.applySession("good")
	for _, name := range []string{"c-null", "c-empty", "c-wrong"} {
		s.awaitReady("s-"+name, metav1.ConditionFalse, "LoginCacheInvalid")
	}
	s.awaitReady("good", metav1.ConditionTrue, "Refreshed")
	s.awaitRotations(3)
}

func TestSIGTERMFinishesARotationInFlight(t *testing.T) {
	s := newStage(t)
	p := s.start(nil)
	login := s.signIn()
	s.applySession("dev")
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	s.aws.Inject(fakeaws.Fault{Rotate: true, Delay: 2 * time.Second})
	s.await("a refresh is under way", func() bool { return s.aws.Stats().Faults == 1 })
	before := s.secret("login").ResourceVersion
	p.stop(syscall.SIGTERM)
	if code := p.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code is %d", code)
	}
	if s.secret("login").ResourceVersion == before {
		t.Error("the rotation was not written back")
	}
	id := s.get("dev").Status.Credentials.AccessKeyID
	if !strings.Contains(string(s.secret("login").Data[login.FileName()]), id) || !strings.Contains(string(s.secret("dev").Data["credentials.json"]), id) {
		t.Error("the rotation was not published and reported")
	}
	s.start(nil)
	rotated := s.aws.Stats().Rotated
	s.awaitRotations(rotated + 1)
	if replayed := s.aws.Stats().Replayed; replayed > 0 {
		t.Errorf("a spent token was used %d times", replayed)
	}
}

func TestOnlyWhatTheFlagsNameIsWatched(t *testing.T) {
	s := newStage(t)
	s.start([]string{"--watch-label-selector=team=a"})
	s.signIn()
	s.applySession("unlabelled")
	s.apply("{apiVersion: awslogin.dev/v1alpha1, kind: LoginSession, metadata: {name: labelled, labels: {team: a}}, spec: {loginCacheSecretRef: {name: login}}}")
	s.awaitReady("labelled", metav1.ConditionTrue, "Refreshed")
	if conditions := s.get("unlabelled").Status.Conditions; len(conditions) > 0 {
		t.Errorf("conditions are %v", conditions)
	}
}

func TestOneOfTwoReplicasLeads(t *testing.T) {
	s := newStage(t)
	args := []string{"--leader-elect", "--leader-election-namespace=default"}
	first, second := s.start(args), s.start(args)
	s.signIn()
	s.applySession("dev")
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	leader := first
	if second.leads() {
		leader = second
	}
	leader.stop(syscall.SIGTERM)
	rotated := s.aws.Stats().Rotated
	s.awaitRotations(rotated + 2)
	if stats := s.aws.Stats(); stats.MaxInFlight > 1 || stats.Refused > 0 {
		t.Errorf("AWS saw %+v", stats)
	}
}

func TestMistakesOnTheCommandLineEndTheOperatorWithAMessage(t *testing.T) {
	for args, says := range map[string]string{
		"--sign-in-endpoint-url=http://192.0.2.1": "unencrypted",
		"--no-such-flag": "no-such-flag",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		out, err := exec.CommandContext(ctx, binary, args).CombinedOutput()
		if err == nil || !strings.Contains(string(out), says) || strings.Contains(string(out), "goroutine") {
			t.Errorf("%s: error %v, output %s", args, err, out)
		}
	}
}

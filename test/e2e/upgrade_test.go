package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/fakeaws"
)

// state is one that a LoginSession can be in when the operator is replaced. It has a
// login cache and a person of its own, both by its name.
type state struct {
	name  string
	spec  string
	ready string // the reason
	// trouble is made once the LoginSession is well.
	trouble func(s *stage, name string)
	// cache is stored in place of a login.
	cache string
}

func (s state) specs() []string {
	if s.spec == "" {
		return nil
	}
	return []string{s.spec}
}

func person(name string) string { return "arn:aws:sts::111122223333:assumed-role/Admin/" + name }

// lasting states, in which nothing is done until something changes.
var lasting = []state{
	{name: "well", ready: "Refreshed"},
	{name: "full", ready: "Refreshed", spec: `region: eu-central-1, signInRegion: us-east-2, refreshBefore: 8m, target: {secretName: other,
		mountPath: /aws, formats: [CredentialProcess, LoginCache, Environment, SharedCredentials], template: {labels: {team: a}, annotations: {contact: b},
		data: {.netrc: "login {{.AccessKeyID}} password {{.SecretAccessKey}}"}}}`},
	{name: "retained", ready: "Refreshed", spec: "target: {deletionPolicy: Retain}"},
	{name: "role", ready: "Refreshed", spec: fmt.Sprintf("assumeRole: {roleARN: %q}", role)},
	{name: "suspended", ready: "Refreshed", trouble: func(s *stage, name string) {
		s.applySessionOf(name+"-login", name, "suspend: true")
	}},
	{name: "over", ready: "ReloginRequired", trouble: func(s *stage, name string) {
		s.aws.EndSession(person(name))
		s.request(name)
	}},
	{name: "password-changed", ready: "ReloginRequired", trouble: func(s *stage, name string) {
		s.aws.ChangePassword(person(name))
		s.request(name)
	}},
	{name: "denied", ready: "PermissionDenied", trouble: func(s *stage, name string) {
		s.aws.DenyRefresh(person(name))
		s.request(name)
	}},
	{name: "no-login-cache", ready: "LoginCacheNotFound", trouble: func(s *stage, name string) {
		s.must(api.Delete(s.ctx, s.secret(name+"-login")))
	}},
	{name: "malformed", ready: "LoginCacheInvalid", cache: "{}"},
	{name: "immutable", ready: "WriteBackImpossible", trouble: func(s *stage, name string) {
		secret := s.secret(name + "-login")
		secret.Immutable = ptr.To(true)
		s.must(api.Update(s.ctx, secret))
	}},
	{name: "taken", ready: "TargetConflict", spec: "target: {secretName: foreign}"},
	{name: "untemplated", ready: "TemplateInvalid", spec: `target: {template: {data: {.netrc: "{{.Password}}"}}}`},
	{name: "no-role", ready: "RoleDenied", spec: fmt.Sprintf("assumeRole: {roleARN: %q}", role+"-of-nobody")},
}

// intended is what this version changes in the targets of the previous one, with the
// reason: by key of the data, and by name what is in the metadata. It is emptied when
// that version is the previous one itself.
var intended = map[string]string{}

// TestAnotherVersionFindsNothingToDo: a version that takes over writes nothing and
// asks AWS nothing where nothing is due, whatever state a LoginSession is in.
func TestAnotherVersionFindsNothingToDo(t *testing.T) {
	for _, change := range changes(t) {
		t.Run(change.name, func(t *testing.T) {
			t.Parallel()
			s := newStageWith(t, fakeaws.Options{})
			s.aws.AddRole(fakeaws.Role{ARN: role, AllowSourceIdentity: true})
			s.store("foreign", nil)
			s.binary = change.from
			first := s.start(nil)
			var names []string
			for _, state := range lasting {
				s.bring(state)
				names = append(names, state.name)
			}
			first.stop(syscall.SIGTERM)
			s.expectTakeOver(change.to, names...)
		})
	}
}

// TestAnotherVersionKeepsToTheIntervalsOfAFailingRefresh: they double up to 45 s.
func TestAnotherVersionKeepsToTheIntervalsOfAFailingRefresh(t *testing.T) {
	for _, change := range changes(t) {
		t.Run(change.name, func(t *testing.T) {
			t.Parallel()
			s := stageRotation(t)
			s.binary = change.from
			first := s.start(nil)
			s.awaitPublished()
			for range 100 {
				s.aws.Inject(fakeaws.ServerError())
			}
			s.resume()
			s.await("the next attempt is six seconds away", func() bool {
				refresh := s.get("dev").Status.Refresh
				return refresh != nil && refresh.Failures >= 4
			})
			first.stop(syscall.SIGTERM)
			s.expectTakeOver(change.to, "dev")
		})
	}
}

// expectTakeOver starts another version, and expects it to leave all as it is.
func (s *stage) expectTakeOver(version string, names ...string) {
	s.Helper()
	before, asked := s.observe(names), s.aws.Stats()
	s.binary = version
	p, reconciled := s.startCounted()
	s.await("every LoginSession is looked at", func() bool { return reconciled() >= len(names) })
	time.Sleep(time.Second) // for it to do what it should not
	p.stop(syscall.SIGTERM)
	for i, after := range s.observe(names) {
		after.expectLike(s.T, before[i])
	}
	stats := s.aws.Stats()
	if stats.Requests != asked.Requests || stats.RolesAssumed != asked.RolesAssumed {
		s.Errorf("AWS had %d requests for tokens and %d for roles; %d and %d before the change",
			stats.Requests, stats.RolesAssumed, asked.Requests, asked.RolesAssumed)
	}
}

// bring a LoginSession into its state.
func (s *stage) bring(want state) {
	s.Helper()
	cache := want.name + "-login"
	if want.cache == "" {
		s.signInAs(person(want.name), cache)
	} else {
		s.store(cache, map[string][]byte{"login.json": []byte(want.cache)})
	}
	s.applySessionOf(cache, want.name, want.specs()...)
	if want.trouble != nil {
		s.awaitReason(want.name, "Ready", "Refreshed")
		want.trouble(s, want.name)
	}
	s.awaitReason(want.name, "Ready", want.ready)
	s.await(want.name+" is reported", func() bool {
		session := s.get(want.name)
		return session.Status.ObservedGeneration == session.Generation
	})
}

func (s *stage) awaitReason(name, condition, reason string) {
	s.Helper()
	s.await(fmt.Sprintf("%s has %s %s", name, condition, reason), func() bool {
		found := meta.FindStatusCondition(s.get(name).Status.Conditions, condition)
		return found != nil && found.Reason == reason
	})
}

// request a refresh, without waiting for it.
func (s *stage) request(name string) {
	s.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"annotations": {"awslogin.dev/refresh-requested-at": "now"}}}`))
	s.must(api.Patch(s.ctx, s.get(name), patch))
}

// observed is all that an operator writes about one LoginSession.
type observed struct {
	name          string
	version       string // of the LoginSession
	reasons       map[string]string
	next          *metav1.Time
	cache, target corev1.Secret
}

func (s *stage) observe(names []string) (all []observed) {
	s.Helper()
	for _, name := range names {
		session := s.get(name)
		o := observed{name: name, version: session.ResourceVersion, next: session.Status.NextRefreshAt, reasons: map[string]string{}}
		for _, condition := range session.Status.Conditions {
			o.reasons[condition.Type] = string(condition.Status) + " " + condition.Reason
		}
		o.cache, o.target = *s.secret(session.Spec.LoginCacheSecretRef.Name), *s.secret(session.TargetSecretName())
		all = append(all, o)
	}
	return all
}

func (o observed) expectLike(t *testing.T, before observed) {
	t.Helper()
	if !maps.Equal(o.reasons, before.reasons) || (o.next == nil) != (before.next == nil) ||
		o.next != nil && o.next.Sub(before.next.Time).Abs() > time.Second { // the time of a failure is known to the second
		t.Errorf("%s: conditions and next refresh were\n%v %v, are\n%v %v", o.name, before.reasons, before.next, o.reasons, o.next)
	}
	if well := o.reasons["Stalled"]+o.reasons["Reconciling"] == ""; well && o.version != before.version {
		t.Errorf("%s: the status was written though all is well", o.name)
	}
	if o.cache.ResourceVersion != before.cache.ResourceVersion {
		t.Errorf("%s: the login cache was written", o.name)
	}
	for key := range intended {
		delete(o.target.Data, key)
		delete(before.target.Data, key)
	}
	if len(intended) == 0 && o.target.ResourceVersion != before.target.ResourceVersion || !reflect.DeepEqual(o.target.Data, before.target.Data) {
		t.Errorf("%s: the target was written; its data has changed at %q", o.name, differing(before.target.Data, o.target.Data))
	}
}

// differing are the keys at which two Secrets differ.
func differing(before, after map[string][]byte) (keys []string) {
	for key := range before {
		if after[key] == nil || !bytes.Equal(before[key], after[key]) {
			keys = append(keys, key)
		}
	}
	for key := range after {
		if before[key] == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

var reconciles = regexp.MustCompile(`(?m)^controller_runtime_reconcile_total\{.*\} (\d+)$`)

// startCounted also counts how many reconciles have ended.
func (s *stage) startCounted(args ...string) (*process, func() int) {
	s.Helper()
	metrics := freeAddress(s.T)
	p := s.start(append(args, "--metrics-bind-address="+metrics))
	return p, func() (total int) {
		response, err := http.Get("http://" + metrics + "/metrics")
		s.must(err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		s.must(err)
		if !strings.Contains(string(text), "controller_runtime_active_workers{controller=\"loginsession\"} 0\n") {
			return 0
		}
		for _, match := range reconciles.FindAllStringSubmatch(string(text), -1) {
			count, _ := strconv.Atoi(match[1])
			total += count
		}
		return total
	}
}

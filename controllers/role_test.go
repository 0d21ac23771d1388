package controllers

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/loginrefresh"
)

const (
	deploy   = "arn:aws:iam::444455556666:role/team/deploy"
	deployed = "arn:aws:sts::444455556666:assumed-role/deploy/"
)

// assuming makes a LoginSession assume a role, as the caller may have it.
func assuming(arn string, change ...func(*v1alpha1.AssumeRole)) func(*v1alpha1.LoginSession) {
	return func(s *v1alpha1.LoginSession) {
		s.Spec.AssumeRole = &v1alpha1.AssumeRole{RoleARN: arn}
		for _, f := range change {
			f(s.Spec.AssumeRole)
		}
	}
}

// trusting makes roles at AWS that everybody here may assume.
func (w *world) trusting(arns ...string) {
	for _, arn := range arns {
		w.aws.AddRole(fakeaws.Role{ARN: arn, Trusted: []string{"arn:aws:iam::" + account + ":root"}, AllowSourceIdentity: true, AllowTags: true})
	}
}

// assumed is a LoginSession that publishes the credentials of a role.
func assumed(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.trusting(deploy)
	w.signIn("login")
	w.session("dev", assuming(deploy))
	w.reconcile("dev")
	w.drain()
	return w
}

// mounted are the credentials that a pod of the LoginSession has.
func (w *world) mounted(target string) loginrefresh.Credentials {
	w.Helper()
	var read struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		AccountID       string `json:"AccountId"`
		Expiration      time.Time
	}
	w.must(json.Unmarshal(w.secret(target).Data["credentials.json"], &read))
	return loginrefresh.Credentials{AccessKeyID: read.AccessKeyID, SecretAccessKey: read.SecretAccessKey,
		SessionToken: read.SessionToken, AccountID: read.AccountID, ExpiresAt: read.Expiration}
}

// principal is whom AWS STS takes a pod of the LoginSession for.
func (w *world) principal(target string) string {
	w.Helper()
	identity, err := w.operator.STS.Identity(w.ctx, w.mounted(target), "us-east-1")
	w.must(err)
	return identity.ARN
}

func (w *world) expectAssumed(want int) {
	w.Helper()
	if stats := w.aws.Stats(); stats.RolesAssumed != want {
		w.Errorf("roles were assumed %d times, want %d (refused %v)", stats.RolesAssumed, want, stats.STSRefused)
	}
}

func TestRoleIsPublishedInsteadOfThePerson(t *testing.T) {
	w := newWorld(t)
	w.trusting(deploy)
	w.signIn("login")
	w.session("dev", assuming(deploy), func(s *v1alpha1.LoginSession) {
		s.Spec.Target.Formats = []v1alpha1.TargetFormat{"CredentialProcess", "LoginCache", "Environment", "SharedCredentials"}
	})
	w.reconcile("dev")
	w.expectWell("dev")

	name := deployed + w.namespace + ".dev"
	if got := w.principal("dev"); got != name {
		t.Errorf("pods are %s, want %s", got, name)
	}
	persons := w.stored("login").Credentials
	for file, content := range w.secret("dev").Data {
		for _, own := range []string{persons.AccessKeyID, persons.SecretAccessKey, persons.SessionToken[:40], alice} {
			if bytes.Contains(content, []byte(own)) {
				t.Errorf("%s has something of the person's own", file)
			}
		}
	}
	mounted, status := w.mounted("dev"), w.get("dev").Status
	if want := w.clock.Now().Add(time.Hour).Truncate(time.Second); !mounted.ExpiresAt.Equal(want) || mounted.AccountID != "444455556666" {
		t.Errorf("credentials of account %s until %s, want until %s", mounted.AccountID, mounted.ExpiresAt, want)
	}
	if status.Credentials.AccessKeyID != mounted.AccessKeyID || !status.Credentials.ExpiresAt.Time.Equal(mounted.ExpiresAt) || status.Identity.ARN != alice {
		t.Errorf("status is %+v of %+v", status.Credentials, status.Identity)
	}
	role := status.AssumedRole
	if role == nil || role.ARN != name || role.SourceIdentity != "alice" || role.NextAssumeAt == nil {
		t.Fatalf("assumed role is %+v", role)
	}
	if left := mounted.ExpiresAt.Sub(role.NextAssumeAt.Time); left < 20*time.Minute || left > 21*time.Minute {
		t.Errorf("the role is assumed again with %s left", left)
	}
}

func TestRoleIsAskedForAsTheSpecSays(t *testing.T) {
	w := newWorld(t)
	w.aws.AddRole(fakeaws.Role{ARN: deploy, Trusted: []string{alice}, ExternalID: "2b:/7", AllowSourceIdentity: true, AllowTags: true})
	w.signIn("login")
	w.session("dev", assuming(deploy, func(role *v1alpha1.AssumeRole) {
		role.SessionName, role.DurationSeconds, role.ExternalID = "nightly", 900, "2b:/7"
		role.Policy = `{"Version": "2012-10-17", "Statement": []}`
		role.PolicyARNs = []v1alpha1.PolicyARN{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
		role.Tags = map[string]v1alpha1.TagValue{"team": "data", "empty": ""}
		role.SourceIdentity = new("alice@example.com")
	}), func(s *v1alpha1.LoginSession) { s.Spec.SignInRegion = "eu-west-1" })
	w.reconcile("dev")
	w.expectWell("dev")
	want := fakeaws.RoleRequest{Caller: alice, Region: "eu-west-1", RoleARN: deploy, SessionName: "nightly", Duration: 15 * time.Minute,
		ExternalID: "2b:/7", Policy: `{"Version": "2012-10-17", "Statement": []}`, PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		Tags: map[string]string{"team": "data", "empty": ""}, SourceIdentity: "alice@example.com"}
	if got := w.aws.Stats().RoleRequests; len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("AWS was asked for %+v, want %+v", got, want)
	}
	if left := w.mounted("dev").ExpiresAt.Sub(w.clock.Now()); left != 15*time.Minute {
		t.Errorf("the credentials live %s", left)
	}
}

func TestSourceIdentityIsThePersonsName(t *testing.T) {
	for arn, want := range map[string]string{
		alice: "alice",
		"arn:aws:iam::111122223333:user/team/bob":                             "bob",
		"arn:aws:iam::111122223333:user/b":                                    "b@111122223333",
		"arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_A/eve@corp.io": "eve@corp.io",
	} {
		t.Run(want, func(t *testing.T) {
			w := newWorld(t)
			w.trusting(deploy)
			w.signInAs(arn, "login")
			w.session("dev", assuming(deploy))
			w.reconcile("dev")
			w.expectWell("dev")
			if got := w.aws.Stats().RoleRequests[0].SourceIdentity; got != want {
				t.Errorf("source identity is %q, want %q", got, want)
			}
		})
	}
	t.Run("none where the spec says none", func(t *testing.T) {
		w := newWorld(t)
		w.aws.AddRole(fakeaws.Role{ARN: deploy, Trusted: []string{alice}})
		w.signIn("login")
		w.session("dev", assuming(deploy, func(role *v1alpha1.AssumeRole) { role.SourceIdentity = new("") }))
		w.reconcile("dev")
		w.expectWell("dev")
	})
}

func TestRoleIsGivenUp(t *testing.T) {
	w := assumed(t)
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.AssumeRole = nil })
	w.reconcile("dev")
	w.expectWell("dev")
	if w.principal("dev") != alice || w.get("dev").Status.AssumedRole != nil || w.secret("dev").Annotations[v1alpha1.AssumedRoleAnnotation] != "" {
		t.Errorf("pods are %s, the status has %+v", w.principal("dev"), w.get("dev").Status.AssumedRole)
	}
}

func TestSharersAssumeRolesOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	var arns []string
	for _, name := range []string{"a", "b", "c"} {
		arn := "arn:aws:iam::444455556666:role/" + name
		arns = append(arns, arn)
		w.session(name, assuming(arn))
	}
	w.session("person")
	w.trusting(arns[:2]...)
	for range 13 {
		for _, name := range []string{"a", "b", "c", "person"} {
			w.reconcile(name)
		}
		w.pass(5 * time.Minute)
	}
	for name, want := range map[string]string{"a": "444455556666:assumed-role/a/", "b": "444455556666:assumed-role/b/", "person": alice} {
		w.reconcile(name)
		w.expectWell(name)
		if got := w.principal(name); !strings.Contains(got, want) {
			t.Errorf("pods of %s are %s", name, got)
		}
	}
	w.expect("c", "Ready", "False RoleDenied", "CredentialsValid", "False NeverPublished")
	if stats := w.aws.Stats(); stats.Requests > 14 || stats.RolesAssumed != 4 {
		t.Errorf("%d refreshes and %d roles in an hour", stats.Requests, stats.RolesAssumed)
	}
}

func TestTemplateGetsTheRolesCredentials(t *testing.T) {
	w := newWorld(t)
	w.trusting(deploy)
	w.signIn("login")
	w.session("dev", assuming(deploy), filesFrom(map[string]v1alpha1.TemplateText{".netrc": netrc, "bad.txt": broken}))
	for range 2 {
		w.reconcile("dev")
		w.expect("dev", "Ready", "False TemplateInvalid", "CredentialsValid", "True Published")
		mounted := w.mounted("dev")
		if got := string(w.secret("dev").Data[".netrc"]); got != "machine s3 login "+mounted.AccessKeyID+" password "+mounted.SecretAccessKey {
			t.Errorf(".netrc is %q", got)
		}
		w.restart() // the credentials are in the target alone then
	}
	w.change("dev", filesFrom(map[string]v1alpha1.TemplateText{".netrc": netrc}))
	w.reconcile("dev")
	w.expectWell("dev")
}

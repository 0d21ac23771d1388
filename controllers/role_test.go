package controllers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

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

// A role session that names nobody would be worth less to whoever reads CloudTrail
// than none.
func TestRoleWaitsUntilItIsKnownWhoIsSignedIn(t *testing.T) {
	w := newWorld(t)
	w.trusting(deploy)
	login := w.aws.Login(alice)
	var cache map[string]any
	w.must(json.Unmarshal(login.Cache(), &cache))
	delete(cache, "idToken")
	anonymous, err := json.Marshal(cache)
	w.must(err)
	w.store("login", map[string][]byte{"a.json": anonymous})
	w.session("dev", assuming(deploy))
	sts := w.operator.STS
	w.operator.STS = &loginrefresh.STS{HTTP: sts.HTTP, Now: sts.Now, Endpoint: loginrefresh.Endpoint{URL: "http://127.0.0.1:1"}}
	w.reconcile("dev")
	w.expect("dev", "Reconciling", "True RoleFailing", "CredentialsValid", "False NeverPublished")
	if message := w.message("dev", "Reconciling"); !strings.Contains(message, "AWS STS has not said yet who is signed in") {
		t.Errorf("message: %s", message)
	}
	w.operator.STS = sts
	w.pass(2 * time.Second)
	w.reconcile("dev")
	w.pass(2 * time.Second)
	w.reconcile("dev")
	edited(w)
	w.reconcile("dev")
	w.expectWell("dev")
	w.expectAssumed(1)
	if got := w.aws.Stats().RoleRequests[0].SourceIdentity; got != "alice" {
		t.Errorf("source identity is %q", got)
	}
}

func TestRoleIsAssumedAgain(t *testing.T) {
	for name, row := range map[string]struct {
		happens func(*world)
		want    int // in all
	}{
		"not when nothing happens":                     {func(*world) {}, 1},
		"not when the login is refreshed":              {func(w *world) { w.wakeUntil(w.clock.Now().Add(30*time.Minute), "dev") }, 1},
		"when its credentials come near their end":     {func(w *world) { w.wakeUntil(w.clock.Now().Add(41*time.Minute), "dev") }, 2},
		"at every new login":                           {func(w *world) { w.signIn("login") }, 2},
		"when another person signs in":                 {func(w *world) { w.signInAs(bob, "login") }, 2},
		"when the spec asks for another session":       {func(w *world) { w.change("dev", assuming(deploy, named("other"))) }, 2},
		"when a refresh is requested":                  {func(w *world) { w.request("dev", "now") }, 2},
		"not when the region for workloads changes":    {func(w *world) { w.change("dev", inRegion("eu-west-1")) }, 1},
		"not when the target is deleted":               {func(w *world) { w.must(api.Delete(w.ctx, w.secret("dev"))) }, 1},
		"not when somebody edits the target":           {edited, 1},
		"not at a restart":                             {(*world).restart, 1},
		"at a restart where the target is gone":        {func(w *world) { w.restart(); w.must(api.Delete(w.ctx, w.secret("dev"))) }, 2},
		"at a restart where somebody edited it":        {func(w *world) { w.restart(); edited(w) }, 2},
		"at a restart where another format is wanted":  {func(w *world) { w.restart(); w.change("dev", inFormat("Environment")) }, 2},
		"at a restart where another role is asked for": {func(w *world) { w.restart(); w.change("dev", assuming(deploy, named("other"))) }, 2},
		"at a restart after a new login":               {func(w *world) { w.restart(); w.signIn("login") }, 2},
		"at a restart when it is due":                  {func(w *world) { w.restart(); w.wakeUntil(w.clock.Now().Add(41*time.Minute), "dev") }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := assumed(t)
			w.pass(2 * time.Second)
			row.happens(w)
			w.reconcile("dev")
			w.expectWell("dev")
			w.expectAssumed(row.want)
			if !strings.HasPrefix(w.principal("dev"), deployed) {
				t.Error("pods are somebody else")
			}
			w.restart() // what is there now is known again
			w.reconcile("dev")
			w.expectWell("dev")
			w.expectAssumed(row.want)
			if role := w.get("dev").Status.AssumedRole; role == nil || !strings.HasPrefix(role.ARN, deployed) || role.NextAssumeAt == nil {
				t.Errorf("the assumed role is %+v", role)
			}
		})
	}
}

// Nothing else need wake the LoginSession at that time.
func TestRoleIsAssumedAgainInTime(t *testing.T) {
	w := assumed(t)
	next := w.get("dev").Status.AssumedRole.NextAssumeAt.Time
	for wake := w.reconcile("dev"); w.clock.Now().Before(next); {
		if at := w.clock.Now().Add(wake); at.After(next.Add(time.Second)) {
			t.Fatalf("it is looked at again %s after the role is due", at.Sub(next))
		}
		wake = w.sleep(wake, "dev")
	}
	w.expectAssumed(2)
}

func TestRoleIsAssumedThoughTheLoginCannotBeRefreshed(t *testing.T) {
	w := assumed(t)
	w.wakeUntil(w.get("dev").Status.AssumedRole.NextAssumeAt.Add(-time.Minute), "dev")
	w.aws.Inject(repeat(fakeaws.ServerError(), 100)...)
	w.request("dev", "now")
	w.reconcile("dev")
	w.expect("dev", "Reconciling", "True RefreshFailing")
	w.wakeUntil(w.clock.Now().Add(2*time.Minute), "dev")
	w.expect("dev", "Reconciling", "True RefreshFailing", "Ready", "True Refreshed")
	if left := w.mounted("dev").ExpiresAt.Sub(w.clock.Now()); left < 55*time.Minute {
		t.Errorf("the role has %s left", left)
	}
}

// However long the role's credentials live, those of the login do not.
func TestLoginThatCannotBeReadIsTriedAgainNoMoreRarelyWithARole(t *testing.T) {
	w := assumed(t)
	w.interpose()
	always("GET secrets/login", apiFaults["500"])(w)
	for range 12 {
		wait, err := w.attempt("dev")
		if err != nil || wait > 54*time.Second {
			t.Fatalf("the next look is in %s, %v", wait, err)
		}
		w.pass(wait)
	}
}

func named(name string) func(*v1alpha1.AssumeRole) {
	return func(role *v1alpha1.AssumeRole) { role.SessionName = name }
}

func inRegion(region string) func(*v1alpha1.LoginSession) {
	return func(s *v1alpha1.LoginSession) { s.Spec.Region = region }
}

func inFormat(format v1alpha1.TargetFormat) func(*v1alpha1.LoginSession) {
	return func(s *v1alpha1.LoginSession) {
		s.Spec.Target.Formats = append(s.Spec.Target.Formats, format)
	}
}

// edited is what somebody who may write Secrets does to the target.
func edited(w *world) {
	target := w.secret("dev")
	target.Data["config"] = []byte("[default]\n")
	w.must(api.Update(w.ctx, target))
}

func TestRoleThatCannotBeAssumed(t *testing.T) {
	malformed := func(role *v1alpha1.AssumeRole) { role.Policy = "{}" }
	large := func(role *v1alpha1.AssumeRole) {
		role.Tags = map[string]v1alpha1.TagValue{}
		for i := range 20 {
			role.Tags[fmt.Sprint("tag", i)] = v1alpha1.TagValue(strings.Repeat("a", 256))
		}
	}
	tagged := func(role *v1alpha1.AssumeRole) { role.Tags = map[string]v1alpha1.TagValue{"a": "b"} }
	twice := func(role *v1alpha1.AssumeRole) { role.Tags = map[string]v1alpha1.TagValue{"a": "b", "A": "b"} }
	trusts := []string{alice}
	for name, row := range map[string]struct {
		role   fakeaws.Role // whose ARN is deploy
		fault  fakeaws.Fault
		ask    func(*v1alpha1.AssumeRole)
		reason string
		says   []string
	}{
		"a trust policy that names others": {role: fakeaws.Role{}, reason: "RoleDenied",
			says: []string{alice, deploy, "HTTP 403", "AccessDenied", "sts:AssumeRole", "trust policy"}},
		"another external ID": {role: fakeaws.Role{Trusted: trusts, AllowSourceIdentity: true, ExternalID: "other"}, reason: "RoleDenied",
			says: []string{"sts:AssumeRole", "spec.assumeRole.externalID"}},
		"no right to a source identity": {role: fakeaws.Role{Trusted: trusts}, reason: "RoleDenied",
			says: []string{"sts:SetSourceIdentity", `set spec.assumeRole.sourceIdentity to ""`}},
		"no right to tags": {role: fakeaws.Role{Trusted: trusts, AllowSourceIdentity: true}, ask: tagged, reason: "RoleDenied",
			says: []string{"sts:TagSession", "remove spec.assumeRole.tags"}},
		"a policy that is none": {role: fakeaws.Role{Trusted: trusts, AllowSourceIdentity: true}, ask: malformed, reason: "RoleRejected",
			says: []string{"MalformedPolicyDocument", "Correct spec.assumeRole.policy"}},
		"tags that are too large": {role: fakeaws.Role{Trusted: trusts, AllowSourceIdentity: true, AllowTags: true}, ask: large, reason: "RoleRejected",
			says: []string{"PackedPolicyTooLarge", "Shorten policy, policyARNs and tags"}},
		"a tag twice": {role: fakeaws.Role{Trusted: trusts, AllowSourceIdentity: true, AllowTags: true}, ask: twice, reason: "RoleRejected",
			says: []string{"InvalidParameterValue", "Correct spec.assumeRole.tags"}},
		"a duration that the role does not have": {fault: fakeaws.Fault{Status: 400, Code: "ValidationError",
			Message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."}, reason: "RoleRejected",
			says: []string{"the role's maximum session duration is shorter"}},
		"a region that is not active": {fault: fakeaws.Fault{Status: 403, Code: "RegionDisabledException"}, reason: "RoleRejected",
			says: []string{"region us-east-1", "RegionDisabledException", "Activate AWS STS"}},
		"throttling":        {fault: fakeaws.STSThrottled(), reason: "RoleFailing", says: []string{"HTTP 400", "Throttling", "keeps trying"}},
		"a service in ruin": {fault: fakeaws.STSUnavailable(), reason: "RoleFailing", says: []string{"HTTP 503"}},
		"a lost request":    {fault: fakeaws.LostRequest(), reason: "RoleFailing", says: []string{"connection was closed"}},
		"a lost reply":      {fault: fakeaws.LostReply(), reason: "RoleFailing", says: []string{"connection was closed"}},
		"a garbled reply":   {fault: fakeaws.Garbled([]byte("<html>CANARY</html>")), reason: "RoleFailing", says: []string{"HTTP 200"}},
		"no life at all":    {fault: fakeaws.ExpiresIn(0), reason: "RoleFailing", says: []string{"no Expiration that lies ahead"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := assumed(t)
			before := w.mounted("dev")
			if row.fault.Status != 0 || row.fault.Drop || row.fault.Body != nil || row.fault.ExpiresIn != nil {
				w.aws.InjectSTS(repeat(row.fault, 100)...)
			} else {
				row.role.ARN = deploy
				w.aws.AddRole(row.role)
			}
			if row.ask != nil {
				w.change("dev", assuming(deploy, row.ask))
			}
			w.wakeUntil(before.ExpiresAt.Add(-15*time.Minute), "dev")
			if row.reason == "RoleFailing" {
				w.expect("dev", "Ready", "True Refreshed", "Reconciling", "True RoleFailing")
			} else {
				w.expect("dev", "Ready", "False "+row.reason, "Stalled", "True "+row.reason)
			}
			w.expect("dev", "SessionActive", "True SessionActive", "CredentialsValid", "True Published")
			if w.mounted("dev") != before {
				t.Error("the last credentials are not served any more")
			}
			if left := w.stored("login").Credentials.ExpiresAt.Sub(w.clock.Now()); left < 5*time.Minute {
				t.Errorf("the login is not refreshed: %s left", left)
			}
			message := w.message("dev", map[bool]string{true: "Reconciling", false: "Stalled"}[row.reason == "RoleFailing"])
			for _, says := range row.says {
				if !strings.Contains(message, says) {
					t.Errorf("message lacks %q: %s", says, message)
				}
			}
			if strings.Contains(message, "CANARY") {
				t.Errorf("message quotes the reply: %s", message)
			}
			w.wakeUntil(before.ExpiresAt.Add(-4*time.Minute), "dev")
			if row.reason == "RoleFailing" {
				w.expect("dev", "Ready", "False RefreshOverdue", "SessionActive", "True SessionActive")
			}
			w.wakeUntil(before.ExpiresAt.Add(time.Minute), "dev")
			w.expect("dev", "CredentialsValid", "False CredentialsExpired", "SessionActive", "True SessionActive")
		})
	}
}

func TestPersonsOwnCredentialsAreNeverPublishedInPlaceOfARoles(t *testing.T) {
	t.Run("where the role was never assumed", func(t *testing.T) {
		w := newWorld(t)
		w.signIn("login")
		w.session("dev", assuming(deploy))
		w.reconcile("dev")
		w.wakeUntil(w.clock.Now().Add(time.Hour), "dev")
		if w.secret("dev") != nil {
			t.Error("something was published")
		}
		w.expect("dev", "Ready", "False RoleDenied", "CredentialsValid", "False NeverPublished", "SessionActive", "True SessionActive")
	})
	for name, restarts := range map[string]bool{"where they were before": false, "and not after a restart": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn("login")
			w.session("dev")
			w.reconcile("dev")
			before := w.mounted("dev")
			w.change("dev", assuming(deploy))
			if restarts {
				w.restart()
			}
			w.wakeUntil(w.clock.Now().Add(time.Hour), "dev")
			if w.mounted("dev") != before {
				t.Error("newer credentials of the person were published")
			}
			w.expect("dev", "Ready", "False RoleDenied", "CredentialsValid", "False CredentialsExpired")
		})
	}
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

func TestRoleOutlivesTheLoginSession(t *testing.T) {
	w := assumed(t)
	w.aws.EndSession(alice)
	expiry := w.mounted("dev").ExpiresAt
	w.wakeUntil(expiry.Add(-10*time.Minute), "dev")
	w.expect("dev", "Ready", "False ReloginRequired", "SessionActive", "False ReloginRequired", "CredentialsValid", "True Published")
	w.expectAssumed(1)
	w.wakeUntil(expiry.Add(time.Second), "dev")
	w.expect("dev", "CredentialsValid", "False CredentialsExpired")
	w.signIn("login")
	w.reconcile("dev")
	w.expectWell("dev")
}

// While the role's credentials live for long, the login may fail unseen.
func TestLoginThatIsOverdueShowsThoughTheRoleIsNot(t *testing.T) {
	w := assumed(t)
	w.aws.Inject(repeat(fakeaws.ServerError(), 100)...)
	w.wakeUntil(w.clock.Now().Add(11*time.Minute), "dev")
	w.expect("dev", "Ready", "False RefreshOverdue", "SessionActive", "Unknown RefreshFailing", "CredentialsValid", "True Published")
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

func TestSuspendedLoginSessionAssumesNoRole(t *testing.T) {
	w := assumed(t)
	before := w.mounted("dev")
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = true })
	w.wakeUntil(w.clock.Now().Add(2*time.Hour), "dev")
	w.change("dev", assuming(deploy, named("other")))
	w.reconcile("dev")
	if w.expectAssumed(1); w.mounted("dev") != before {
		t.Error("other credentials are published")
	}
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = false })
	w.reconcile("dev")
	w.expectWell("dev")
	w.expectAssumed(2)
}

// The life of a role's credentials says AWS, whatever was asked for.
func TestRoleThatLivesShorterThanAskedForIsAssumedInTime(t *testing.T) {
	w := newWorld(t)
	w.trusting(deploy)
	w.signIn("login")
	w.session("dev", assuming(deploy))
	w.aws.InjectSTS(fakeaws.ExpiresIn(60))
	wake := w.reconcile("dev")
	if left := w.mounted("dev").ExpiresAt.Sub(w.clock.Now()); left != time.Minute || wake > 20*time.Second {
		t.Errorf("%s left, and looked at again after %s", left, wake)
	}
}

// Which of two role sessions is newer does not show, so the one that another replica
// has published stays.
func TestReplicaThatWakesUpLateDoesNotOverwriteARole(t *testing.T) {
	w := assumed(t)
	term := w.inTerm(1)
	w.change("dev", assuming(deploy, named("late")))
	var others []byte
	w.hooks.beforeUpdate = func(object client.Object) error {
		w.hooks.beforeUpdate = nil
		*term = 0
		target := w.secret("dev")
		target.Data["credentials.json"] = bytes.Replace(target.Data["credentials.json"], []byte("ASIA"), []byte("ASIB"), 1)
		others = target.Data["credentials.json"]
		w.must(api.Update(w.ctx, target))
		return nil
	}
	w.reconcile("dev")
	if got := w.secret("dev").Data["credentials.json"]; others == nil || !bytes.Equal(got, others) {
		t.Error("the other replica's role session was overwritten")
	}
}

func TestFailingRoleIsTriedAgainEverMoreRarely(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev", assuming(deploy))
	if wake := w.reconcile("dev"); wake < time.Second || wake > 1200*time.Millisecond {
		t.Errorf("the first wait is %s", wake)
	}
	w.wakeUntil(w.clock.Now().Add(time.Hour), "dev")
	if refused := w.aws.Stats().STSRefused["AccessDenied"]; refused < 10 || refused > 20 {
		t.Errorf("AWS was asked %d times in an hour", refused)
	}
	w.trusting(deploy)
	w.wakeUntil(w.clock.Now().Add(13*time.Minute), "dev")
	w.expectWell("dev")
}

func TestRequestTriesADeniedRoleAtOnce(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev", assuming(deploy))
	w.wakeUntil(w.clock.Now().Add(time.Hour), "dev")
	w.trusting(deploy)
	w.request("dev", fmt.Sprint(w.clock.Now()))
	w.reconcile("dev")
	w.expectWell("dev")
}

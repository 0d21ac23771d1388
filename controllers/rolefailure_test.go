package controllers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/loginrefresh"
)

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

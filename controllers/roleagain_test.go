package controllers

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
)

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

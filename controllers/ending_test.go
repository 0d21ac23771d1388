package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
)

// beforeTheWarning is how long it is, in the worlds below, until the session is said to
// end soon: less than until the next refresh.
const beforeTheWarning = 3 * time.Minute

// aging is a LoginSession that is well and whose session is near its end.
func aging(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.interpose()
	w.signIn("login")
	w.pass(11*time.Hour + 30*time.Minute - beforeTheWarning)
	w.session("dev")
	w.reconcile("dev")
	w.expectWell("dev")
	w.expect("dev", "SessionEndingSoon", "")
	w.drain()
	return w
}

// ending is one that is said to end soon.
func ending(t *testing.T) *world {
	t.Helper()
	w := aging(t)
	w.pass(beforeTheWarning)
	w.reconcile("dev")
	w.expect("dev", "SessionEndingSoon", "True SessionEndingSoon")
	return w
}

func TestSessionIsSaidToEndSoonInTime(t *testing.T) {
	for name, happens := range map[string]func(*world){
		"whatever else is due":              func(*world) {},
		"after a restart":                   (*world).restart,
		"though nothing can be refreshed":   immutable("login"),
		"though the target is not ours":     foreignTarget,
		"though the target cannot be ours":  immutable("dev"),
		"though it was suspended meanwhile": func(w *world) { suspend(true)(w); w.reconcile("dev"); suspend(false)(w) },
	} {
		t.Run(name, func(t *testing.T) {
			w := aging(t)
			happens(w)
			w.reconcile("dev")
			wake := w.reconcile("dev")
			if wake != beforeTheWarning {
				t.Errorf("wakes after %s, want %s", wake, beforeTheWarning)
			}
			w.drain()
			ready := w.condition("dev", "Ready")
			w.pass(beforeTheWarning)
			w.reconcile("dev")
			w.expect("dev", "SessionEndingSoon", "True SessionEndingSoon", "Ready", ready)
			end := w.get("dev").Status.Session.EstimatedEndAt.UTC().Format(time.RFC3339)
			want := fmt.Sprintf("The login session ends at %s at the latest. Sign in again before: kubectl awslogin login dev -n %s", end, w.namespace)
			if got := w.message("dev", "SessionEndingSoon"); got != want {
				t.Errorf("message is %q, want %q", got, want)
			}
			w.restart()
			w.pass(time.Second)
			w.reconcile("dev")
			expectEvents(t, w) // told before the restart, and only once
		})
	}
}

func TestTransitionToTheEndIsToldOnce(t *testing.T) {
	w := ending(t)
	expectEvents(t, w, "Warning SessionEndingSoon The login session ends at ")
	w.expectWell("dev")
	w.run("dev", 20*time.Minute)
	expectEvents(t, w)
	w.expectWell("dev")
}

func foreignTarget(w *world) {
	w.must(api.Create(w.ctx, &corev1.Secret{ObjectMeta: objectMeta(w, "taken")}))
	namesTarget("taken")(w)
}

func suspend(on bool) func(*world) {
	return func(w *world) { w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Suspend = on }) }
}

func TestSessionThatIsSaidToEndSoon(t *testing.T) {
	const still = "True SessionEndingSoon"
	for name, row := range map[string]struct {
		happens      func(*world)
		ending, well string
	}{
		"is said so until it ends":               {func(w *world) { w.pass(29 * time.Minute) }, still, "True Refreshed"},
		"is said so where its cache is unread":   {always("GET secrets/login", apiFaults["500"]), still, "True Refreshed"},
		"is another after a new login":           {signInAgain, "", "True Refreshed"},
		"has ended":                              {func(w *world) { w.aws.EndSession(alice); w.pass(10 * time.Minute) }, "", "False ReloginRequired"},
		"has no login cache any more":            {func(w *world) { w.must(api.Delete(w.ctx, w.secret("login"))) }, "", "False LoginCacheNotFound"},
		"is no business of ours where suspended": {suspend(true), "", "True Refreshed"},
		"has an end that nobody knows": {func(w *world) {
			w.store("login", map[string][]byte{"a.json": withoutIDToken(w.aws.Login(alice).Cache())})
		}, "", "True Refreshed"},
		"is not said so by an operator without": {func(w *world) { w.restart(); w.operator.SessionEndWarning = 0; w.pass(40 * time.Minute) }, "", "True Refreshed"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ending(t)
			row.happens(w)
			w.reconcile("dev")
			w.expect("dev", "SessionEndingSoon", row.ending, "Ready", row.well)
		})
	}
}

func TestEndOfASessionNamesTheCommandThatBeginsAnother(t *testing.T) {
	w := ending(t)
	w.aws.EndSession(alice)
	w.pass(10 * time.Minute)
	w.reconcile("dev")
	message := w.message("dev", "Ready")
	for _, command := range []string{"Sign in again: kubectl awslogin login dev -n " + w.namespace + ".", " aws login && kubectl create secret"} {
		if !strings.Contains(message, command) {
			t.Errorf("message is %q, want %q in it", message, command)
		}
	}
}

// aboutPods is a recorder that keeps apart what it is told about pods.
type aboutPods struct {
	*events.FakeRecorder
	world *world
	told  []string
}

func (r *aboutPods) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	pod, ok := regarding.(*corev1.Pod)
	if !ok {
		r.FakeRecorder.Eventf(regarding, related, kind, reason, action, note, args...)
		return
	}
	live := &corev1.Pod{}
	if err := api.Get(r.world.ctx, client.ObjectKeyFromObject(pod), live); err != nil || live.UID != pod.UID {
		reason = "of a pod that is none: " + reason
	}
	r.told = append(r.told, fmt.Sprintf("%s: %s %s of %s: ", pod.Name, kind, reason, related.(*v1alpha1.LoginSession).Name)+fmt.Sprintf(note, args...))
}

// telling has an operator tell pods.
func telling(w *world) *aboutPods {
	recorder := &aboutPods{FakeRecorder: w.events, world: w}
	w.operator.NudgePods, w.operator.Recorder = true, recorder
	return recorder
}

func TestPodsShowTheEndOfTheirSession(t *testing.T) {
	w := aging(t)
	recorder := telling(w)
	w.pod("app")
	w.pod("other", mount("other"))
	w.run("dev", 10*time.Minute)
	w.restart()
	restarted := telling(w)
	w.run("dev", time.Minute)
	w.aws.EndSession(alice)
	w.run("dev", 20*time.Minute)
	told := slices.Concat(recorder.told, restarted.told)
	for i, want := range []string{
		"app: Warning SessionEndingSoon of dev: LoginSession dev, whose credentials this pod mounts: The login session ends at ",
		"app: Warning ReloginRequired of dev: LoginSession dev, whose credentials this pod mounts: The login session is over (",
	} {
		if len(told) != 2 || !strings.HasPrefix(told[i], want) || !strings.Contains(told[i], "kubectl awslogin login dev -n "+w.namespace) {
			t.Errorf("pods are told %q, want %q", told, want)
		}
	}
}

func TestPodsAreNotToldOfTheEnd(t *testing.T) {
	const noRight = "Warning NudgeFailed Pods that mount Secret %s/dev do not show SessionEndingSoon, because the operator may not list and patch pods: install config/nudge"
	for name, row := range map[string]struct {
		happens func(*world)
		told    string
	}{
		"without the flag":                  {func(w *world) { w.operator.NudgePods = false }, ""},
		"where what they mount is not ours": {foreignTarget, ""},
		"without the right to list them": {func(w *world) {
			live, err := client.New(limitedConfig(w.T, "get"), client.Options{Scheme: api.Scheme()})
			w.must(err)
			w.operator.Live = live
		}, noRight},
	} {
		t.Run(name, func(t *testing.T) {
			w := aging(t)
			recorder := telling(w)
			w.pod("app")
			w.pod("app-2", mount("taken"))
			row.happens(w)
			w.pass(beforeTheWarning)
			w.reconcile("dev")
			w.pass(time.Second)
			w.reconcile("dev")
			w.expect("dev", "SessionEndingSoon", "True SessionEndingSoon")
			if len(recorder.told) > 0 {
				t.Errorf("told are %q", recorder.told)
			}
			told := slices.DeleteFunc(w.drain(), func(event string) bool { return !strings.Contains(event, "Nudge") })
			if row.told == "" && len(told) == 0 {
				return
			}
			if want := fmt.Sprintf(row.told, w.namespace); len(told) != 1 || row.told == "" || !strings.HasPrefix(told[0], want) {
				t.Errorf("events are %q", told)
			}
		})
	}
}

func TestOfManyPodsSomeAreToldOfTheEnd(t *testing.T) {
	w := aging(t)
	recorder := telling(w)
	for i := range mostPodsTold + 5 {
		w.pod(fmt.Sprint("app-", i))
	}
	w.pass(beforeTheWarning)
	w.reconcile("dev")
	if len(recorder.told) != mostPodsTold {
		t.Errorf("%d pods are told, want %d", len(recorder.told), mostPodsTold)
	}
}

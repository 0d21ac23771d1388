package controllers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/faultproxy"
)

// nudging is a world whose operator nudges, and whose requests are seen. Its
// LoginSession dev has credentials of 15 minutes, and so much of them left.
func nudging(t *testing.T, left time.Duration) *world {
	t.Helper()
	w := newWorld(t)
	w.interpose()
	w.operator.NudgePods = true
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	w.pass(15*time.Minute - left)
	w.drain()
	w.onTheWay.Forget()
	return w
}

// pod creates a pod on a node that mounts the target dev, if the caller does not
// change it first.
func (w *world) pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	w.Helper()
	pod := &corev1.Pod{ObjectMeta: objectMeta(w, name), Spec: corev1.PodSpec{
		NodeName:   "node",
		Containers: []corev1.Container{{Name: "app", Image: "app"}},
	}}
	mount("dev")(pod)
	for _, f := range change {
		f(pod)
	}
	w.must(api.Create(w.ctx, pod))
	return pod
}

func mount(secret string) func(*corev1.Pod) {
	return volume(corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}})
}

func project(secret string) func(*corev1.Pod) {
	source := corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: secret}}
	return volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: source.LocalObjectReference}}, {Secret: &source},
	}}})
}

func volume(source corev1.VolumeSource) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Volumes = []corev1.Volume{{Name: "aws", VolumeSource: source}} }
}

// nudgedAt is the annotation of a pod.
func (w *world) nudgedAt(pod *corev1.Pod) string {
	w.Helper()
	live := &corev1.Pod{}
	w.must(api.Get(w.ctx, client.ObjectKeyFromObject(pod), live))
	return live.Annotations[v1alpha1.NudgedAtAnnotation]
}

// podRequests are the steps that were about pods.
func (w *world) podRequests() (steps []string) {
	for _, step := range w.onTheWay.Steps() {
		if strings.Contains(step, " pods") {
			steps = append(steps, step)
		}
	}
	return steps
}

func TestPodsThatMountTheTargetAreNudged(t *testing.T) {
	elsewhere := newWorld(t).namespace
	w := nudging(t, 0)
	rows := map[string]struct {
		change func(*corev1.Pod)
		phase  corev1.PodPhase
		nudged bool
	}{
		"that mounts it":                       {mount("dev"), corev1.PodRunning, true},
		"that waits for it":                    {mount("dev"), corev1.PodPending, true},
		"that mounts it among others":          {project("dev"), corev1.PodRunning, true},
		"that mounts it as a second volume":    {func(pod *corev1.Pod) { addVolume(pod, "first") }, corev1.PodRunning, true},
		"that cannot be asked":                 {mount("dev"), corev1.PodUnknown, true},
		"that mounts another Secret":           {mount("other"), corev1.PodRunning, false},
		"that mounts another one among others": {project("other"), corev1.PodRunning, false},
		"that mounts nothing":                  {func(pod *corev1.Pod) { pod.Spec.Volumes = nil }, corev1.PodRunning, false},
		"of another namespace":                 {func(pod *corev1.Pod) { pod.Namespace = elsewhere }, corev1.PodRunning, false},
		"without a node":                       {func(pod *corev1.Pod) { pod.Spec.NodeName = "" }, corev1.PodPending, false},
		"that has succeeded":                   {mount("dev"), corev1.PodSucceeded, false},
		"that has failed":                      {mount("dev"), corev1.PodFailed, false},
		"that is being deleted":                {func(pod *corev1.Pod) { pod.Finalizers = []string{"example.com/stay"} }, corev1.PodRunning, false},
	}
	pods := map[string]*corev1.Pod{}
	for name, row := range rows {
		pod := w.pod(strings.ToLower(strings.ReplaceAll(name, " ", "-")), row.change)
		pod.Status.Phase = row.phase
		w.must(api.Status().Update(w.ctx, pod))
		if len(pod.Finalizers) > 0 {
			w.must(api.Delete(w.ctx, pod))
		}
		pods[name] = pod
	}
	w.pass(250 * time.Millisecond) // two targets of a pod may be published within a second
	w.reconcile("dev")
	for name, row := range rows {
		want := ""
		if row.nudged {
			want = w.clock.Now().UTC().Format("2006-01-02T15:04:05.00Z")
		}
		if got := w.nudgedAt(pods[name]); got != want {
			t.Errorf("a pod %s has the annotation %q, want %q", name, got, want)
		}
	}
	told := fmt.Sprintf("Normal PodsNudged 5 pod(s) that mount Secret %s/dev were told of the new credentials.", w.namespace)
	if got := w.drain(); !slices.Contains(got, told) {
		t.Errorf("events are %q, want %q among them", got, told)
	}
}

// addVolume adds another Secret before the volumes that there are.
func addVolume(pod *corev1.Pod, secret string) {
	target := pod.Spec.Volumes[0]
	mount(secret)(pod)
	pod.Spec.Volumes[0].Name = "other"
	pod.Spec.Volumes = append(pod.Spec.Volumes, target)
}

func TestPodsAreNudgedWhereAKubeletMayComeTooLate(t *testing.T) {
	for name, row := range map[string]struct {
		left   time.Duration
		nudged bool
	}{
		"a normal rotation":             {10 * time.Minute, false},
		"one that comes late":           {4 * time.Minute, false},
		"one that a kubelet can follow": {2 * time.Minute, false},
		"one that a kubelet cannot":     {2*time.Minute - time.Second, true},
		"one after the expiry":          {-time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := nudging(t, row.left)
			pod := w.pod("app")
			count, sum := observed(t, remaining)
			w.reconcile("dev")
			w.expectRefreshes(1)
			if got := w.nudgedAt(pod) != ""; got != row.nudged {
				t.Errorf("nudged: %t, want %t", got, row.nudged)
			}
			if !row.nudged && len(w.podRequests()) > 0 {
				t.Errorf("it costs %q", w.podRequests())
			}
			counted, summed := observed(t, remaining)
			if counted != count+1 || math.Abs(summed-sum-max(0, row.left.Seconds())) > 1e-6 { // sums of what others observed are not exact
				t.Errorf("observed %d times, %g s", counted-count, summed-sum)
			}
		})
	}
}

func TestWithoutTheFlagNoPodIsNudged(t *testing.T) {
	w := nudging(t, 0)
	w.operator.NudgePods = false
	pod := w.pod("app")
	w.reconcile("dev")
	w.expectWell("dev")
	if steps := w.podRequests(); len(steps) > 0 || w.nudgedAt(pod) != "" {
		t.Errorf("requests are %q", steps)
	}
}

func TestFirstPublicationNudgesPodsThatWait(t *testing.T) {
	w := newWorld(t)
	w.operator.NudgePods = true
	pod := w.pod("app")
	w.session("dev")
	w.reconcile("dev")
	count, _ := observed(t, remaining)
	if w.nudgedAt(pod) != "" {
		t.Error("nudged, though nothing was published")
	}
	w.signIn("login")
	w.reconcile("dev")
	if w.nudgedAt(pod) == "" {
		t.Error("not nudged")
	}
	if counted, _ := observed(t, remaining); counted != count {
		t.Error("no credentials were there before, and their life left was observed")
	}
}

// TestTargetThatIsMadeAnewNudges: pods may have begun to wait for it meanwhile.
func TestTargetThatIsMadeAnewNudges(t *testing.T) {
	w := nudging(t, 14*time.Minute)
	w.must(api.Delete(w.ctx, w.secret("dev")))
	pod := w.pod("app")
	w.reconcile("dev")
	w.expectRefreshes(0)
	if w.nudgedAt(pod) == "" {
		t.Error("not nudged")
	}
}

func TestPodsAreNudgedOnceForAPublication(t *testing.T) {
	for name, disturb := range map[string]func(*world){
		"that nothing disturbs": func(*world) {},
		"that conflicts at first": func(w *world) {
			w.onTheWay.Judge(faultproxy.Once("PUT secrets/dev", faultproxy.Fault{Before: func() {
				target := w.secret("dev")
				target.Labels["mine"] = "x"
				w.must(api.Update(w.ctx, target))
			}}))
		},
		"whose reply is lost": func(w *world) { w.onTheWay.Judge(faultproxy.Once("PUT secrets/dev", faultproxy.Fault{Lose: true})) },
		"whose status cannot be written at first": func(w *world) {
			w.onTheWay.Judge(faultproxy.Once("PATCH loginsessions/dev/status", apiFaults["500"]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := nudging(t, -time.Minute)
			w.pod("app")
			count, _ := observed(t, remaining)
			disturb(w)
			w.run("dev", time.Minute)
			w.expectWell("dev")
			if steps := w.podRequests(); !slices.Equal(steps, []string{"GET pods", "PATCH pods/app"}) {
				t.Errorf("requests are %q", steps)
			}
			if counted, _ := observed(t, remaining); counted != count+1 {
				t.Errorf("the life left was observed %d times", counted-count)
			}
		})
	}
}

func TestNewLoginNudgesThoughTheOperatorWasRestarted(t *testing.T) {
	w := nudging(t, time.Minute)
	w.aws.EndSession(alice)
	w.reconcile("dev")
	w.pass(time.Hour)
	w.reconcile("dev")
	w.expect("dev", "Ready", "False ReloginRequired", "CredentialsValid", "False CredentialsExpired")
	pod := w.pod("app")
	w.restart()
	w.operator.NudgePods = true
	w.onTheWay.Forget()
	w.reconcile("dev")
	if steps := w.podRequests(); len(steps) > 0 {
		t.Errorf("a restart costs %q", steps)
	}
	w.signIn("login")
	w.reconcile("dev")
	w.expectWell("dev")
	if w.nudgedAt(pod) == "" {
		t.Error("not nudged")
	}
}

func TestPublicationThatAnEarlierProcessDidNotTellOfNudges(t *testing.T) {
	w := nudging(t, -time.Minute)
	w.operator.NudgePods = false // it is gone before it comes to that, and to the status
	w.onTheWay.Judge(faultproxy.Once("PATCH loginsessions/dev/status", faultproxy.Fault{Refuse: true}))
	w.reconcile("dev")
	pod := w.pod("app")
	w.restart()
	w.operator.NudgePods = true
	w.reconcile("dev")
	w.expectRefreshes(1)
	if w.nudgedAt(pod) == "" {
		t.Error("not nudged")
	}
}

func TestNudgeThatFailsIsToldOnceAndHarmsNothing(t *testing.T) {
	podsRefused := func(reason string) faultproxy.Fault {
		return faultproxy.Answer(apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New(reason)))
	}
	failsAt := func(step string, fault faultproxy.Fault) func(*world) {
		return func(w *world) {
			w.onTheWay.Judge(func(next string) faultproxy.Fault {
				if next != step {
					return faultproxy.Fault{}
				}
				return fault
			})
		}
	}
	const noRight = "the operator may not list and patch pods: install config/nudge, or run without --nudge-pods."
	for name, row := range map[string]struct {
		fails func(*world)
		told  []string
	}{
		"no right to list": {func(w *world) {
			live, err := client.New(limitedConfig(w.T, "get"), client.Options{Scheme: api.Scheme()})
			w.must(err)
			w.operator.Live = live
		}, []string{noRight}},
		"no right to patch": {func(w *world) {
			w.startWith(limitedClient(w.T, "get", "create", "update"))
			w.operator.NudgePods = true
		}, []string{noRight}},
		"a webhook that talks too much": {
			failsAt("PATCH pods/app-1", podsRefused(`admission webhook "no.example.com" denied the request: User "x" cannot patch resource "pods" `+canary)),
			[]string{"1 pod(s)", `telling them failed: the API server answered HTTP 403 Forbidden, refused by admission webhook "no.example.com".`},
		},
		"an API server that has no answer": {
			failsAt("GET pods", faultproxy.Fault{Status: http.StatusOK, Body: []byte(canary)}), []string{"telling them failed: no reply came that could be read."},
		},
		"a pod that cannot be written": {failsAt("PATCH pods/app-1", apiFaults["500"]), []string{"1 pod(s)", "telling them failed: the API server answered HTTP 500"}},
		"pods that have gone meanwhile": {
			failsAt("PATCH pods/app-1", faultproxy.Answer(apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "app-1"))), []string{"1 pod(s)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := nudging(t, -time.Minute)
			w.pod("app-1")
			w.pod("app-2")
			row.fails(w)
			w.run("dev", 4*time.Minute)
			w.expectWell("dev")
			told := slices.DeleteFunc(w.drain(), func(event string) bool { return !strings.Contains(event, "Nudge") })
			if len(told) != len(row.told) {
				t.Fatalf("told are %q, want %q", told, row.told)
			}
			for i, event := range told {
				if !strings.Contains(event, row.told[i]) || strings.Contains(event, canary) {
					t.Errorf("told is %q, want %q", event, row.told[i])
				}
			}
		})
	}
}

func TestManyPodsAreNudgedPageByPageAndAFewAtATime(t *testing.T) {
	const count = 600
	w := nudging(t, -time.Minute)
	var creating errgroup.Group
	creating.SetLimit(20)
	for i := range count {
		creating.Go(func() error { w.pod(fmt.Sprint("app-", i)); return nil })
	}
	w.must(creating.Wait())
	var now, most atomic.Int64
	w.onTheWay.Judge(func(step string) faultproxy.Fault {
		if !strings.HasPrefix(step, "PATCH pods/") {
			return faultproxy.Fault{}
		}
		most.Store(max(most.Load(), now.Add(1))) // steps come one by one
		return faultproxy.Fault{After: func() { now.Add(-1) }}
	})
	begin := time.Now()
	w.reconcile("dev")
	t.Logf("took %s", time.Since(begin))
	steps := w.podRequests()
	pages := len(slices.DeleteFunc(slices.Clone(steps), func(step string) bool { return step != "GET pods" }))
	if pages != 2 || len(slices.Compact(slices.Sorted(slices.Values(steps)))) != 1+count {
		t.Errorf("%d pages, %d requests", pages, len(steps))
	}
	var pods corev1.PodList
	w.must(api.List(w.ctx, &pods, client.InNamespace(w.namespace)))
	for _, pod := range pods.Items {
		if pod.Annotations[v1alpha1.NudgedAtAnnotation] == "" {
			t.Errorf("%s was not nudged", pod.Name)
		}
	}
	if most.Load() < 2 || most.Load() > nudgeWorkers {
		t.Errorf("%d requests at once, want 2 to %d", most.Load(), nudgeWorkers)
	}
}

// timedReader tells by when a list has to be answered.
type timedReader struct {
	client.Reader
	within time.Duration
}

func (r *timedReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	deadline, _ := ctx.Deadline()
	r.within = time.Until(deadline)
	return r.Reader.List(ctx, list, options...)
}

func TestNudgeIsBounded(t *testing.T) {
	w := nudging(t, 0)
	timed := &timedReader{Reader: w.operator.Live}
	w.operator.Live = timed
	w.reconcile("dev")
	if timed.within <= 0 || timed.within > 10*time.Second {
		t.Errorf("pods are listed within %s", timed.within)
	}
}

package cluster

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
)

const operatorNamespace = "awslogin-system"

// TestPodsGoOnThroughEverything is one story, since every part of it takes a
// rotation or two: programs with boto3 and with the AWS SDK for Go, one of them with
// a label alone, call AWS STS five times a second, and no call may fail.
func TestPodsGoOnThroughEverything(t *testing.T) {
	needPods(t)
	s := newStage(t, "demo")
	s.signIn()
	s.applySession()
	s.awaitReady(metav1.ConditionTrue, v1alpha1.ReasonRefreshed)
	p := s.startPods()

	s.Run("rotations", func(*testing.T) { p.awaitRotations(2) })
	s.Run("the leader is deleted", func(*testing.T) {
		p.deleteLeader()
		p.awaitRotations(1)
	})
	s.Run("the chart is upgraded", func(*testing.T) {
		p.upgrade()
		p.awaitRotations(1)
	})
	s.Run("the doctor finds nothing", func(*testing.T) {
		s.Log(s.run("", kubectl, "awslogin", "doctor", "--namespace", s.namespace))
	})
	s.Run("the session ends and a person signs in again", func(*testing.T) {
		s.endSession()
		s.awaitReady(metav1.ConditionFalse, v1alpha1.ReasonReloginRequired)
		s.signIn()
		s.awaitReady(metav1.ConditionTrue, v1alpha1.ReasonRefreshed)
		p.awaitRotations(2)
	})
	s.Run("the chart is uninstalled", func(*testing.T) {
		s.run("", "helm", "uninstall", "awslogin", "--namespace", operatorNamespace, "--wait", "--timeout", "90s")
		s.run("", kubectl, "delete", "namespace", operatorNamespace, "--timeout=60s")
		if s.isGone(&corev1.Secret{}, "dev") {
			t.Error("the target Secret is gone with the operator")
		}
		p.awaitCalls(5)
	})
	p.judge()
	s.Run("nothing is stuck without the operator", func(*testing.T) {
		s.run("", kubectl, "delete", "loginsession", "dev", "--namespace", s.namespace, "--timeout=30s")
		s.run("", kubectl, "delete", "namespace", s.namespace, "--timeout=60s")
	})
}

// pods are the workloads of hack/kind, and what is known about them.
type pods struct {
	*stage
	witnesses []*witness
	stop      context.CancelFunc

	mu        sync.Mutex
	published map[string]time.Time // when an access key came into the target Secret
}

// startPods returns when all of them have called AWS.
func (s *stage) startPods() *pods {
	s.Helper()
	p := &pods{stage: s, published: map[string]time.Time{}}
	workloads := s.run("", kubectl, "kustomize", "--load-restrictor", "LoadRestrictionsNone", filepath.Join(controlplane.Root(), "hack", "kind", "workloads"))
	const slow, fast = `value: "1"`, `value: "0.2"`
	if strings.Count(workloads, slow) != 3 {
		s.Fatal("the workloads have changed: this is to have all three of them call five times a second")
	}
	s.run(strings.ReplaceAll(workloads, slow, fast), kubectl, "apply", "--server-side", "-f", "-")
	for _, name := range []string{"boto3", "distroless", "injected"} {
		s.run("", kubectl, "rollout", "status", "deployment/"+name, "--namespace", s.namespace, "--timeout=90s")
	}
	var ctx context.Context
	ctx, p.stop = context.WithCancel(context.Background())
	s.Cleanup(p.stop)
	for _, pod := range p.list() {
		p.witnesses = append(p.witnesses, observe(ctx, s.T, &pod))
	}
	go p.watchTarget(ctx)
	return p
}

func (p *pods) list() []corev1.Pod {
	p.Helper()
	list := &corev1.PodList{}
	p.must(api.List(p.Context(), list, client.InNamespace(p.namespace)))
	return list.Items
}

// watchTarget notes when access keys are published.
func (p *pods) watchTarget(ctx context.Context) {
	changes, err := api.Watch(ctx, &corev1.SecretList{}, client.InNamespace(p.namespace), client.MatchingFields{"metadata.name": "dev"})
	if err != nil {
		return // the figures lack the lag then
	}
	for event := range changes.ResultChan() {
		secret, ok := event.Object.(*corev1.Secret)
		var content struct {
			AccessKeyID string `json:"AccessKeyId"`
		}
		if !ok || event.Type != watch.Modified || json.Unmarshal(secret.Data["credentials.json"], &content) != nil {
			continue
		}
		p.mu.Lock()
		if _, known := p.published[content.AccessKeyID]; !known {
			p.published[content.AccessKeyID] = time.Now()
		}
		p.mu.Unlock()
	}
}

// awaitRotations waits until each pod has gone on to so many new access keys. Programs
// with the SDK for Go skip some: they read the files when theirs have expired.
func (p *pods) awaitRotations(more int) {
	p.Helper()
	wanted := map[*witness]int{}
	for _, w := range p.witnesses {
		wanted[w] = w.rotations() + more
		if strings.HasPrefix(w.pod, "distroless") {
			wanted[w] = 0
		}
	}
	p.await("the pods use new access keys", func() bool {
		return !slices.ContainsFunc(p.witnesses, func(w *witness) bool { return w.rotations() < wanted[w] })
	})
}

// awaitCalls waits until each pod has called so many times more.
func (p *pods) awaitCalls(more int) {
	p.Helper()
	before := map[*witness]int{}
	for _, w := range p.witnesses {
		before[w] = w.count()
	}
	p.await("the pods go on calling", func() bool {
		return !slices.ContainsFunc(p.witnesses, func(w *witness) bool { return w.count() < before[w]+more })
	})
}

// deleteLeader deletes the replica that works, as a drain of its node does.
func (p *pods) deleteLeader() {
	p.Helper()
	leases := &coordinationv1.LeaseList{}
	p.must(api.List(p.Context(), leases, client.InNamespace(operatorNamespace)))
	if len(leases.Items) != 1 {
		p.Fatalf("there are %d leases", len(leases.Items))
	}
	leader, _, _ := strings.Cut(*leases.Items[0].Spec.HolderIdentity, "_")
	p.run("", kubectl, "delete", "pod", leader, "--namespace", operatorNamespace, "--wait=false")
}

// upgrade replaces both replicas.
func (p *pods) upgrade() {
	p.Helper()
	p.run("", "helm", "upgrade", "awslogin", filepath.Join(controlplane.Root(), "charts", "aws-login-operator"),
		"--namespace", operatorNamespace, "--reuse-values", "--set", "podAnnotations.upgraded=once", "--wait", "--timeout", "90s")
}

// judge stops listening: without the operator the credentials expire.
func (p *pods) judge() {
	p.Helper()
	p.stop()
	for _, pod := range p.list() {
		if restarts := pod.Status.ContainerStatuses[0].RestartCount; restarts > 0 {
			p.Errorf("%s was restarted %d times", pod.Name, restarts)
		}
	}
	var lags []time.Duration
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.witnesses {
		w.judge(p.T)
		if !strings.HasPrefix(w.pod, "distroless") {
			lags = append(lags, w.lags(p.published)...)
		}
	}
	if slices.Sort(lags); len(lags) > 0 {
		p.Logf("from the target Secret to a call with it: median %s, longest %s, of %d", lags[len(lags)/2], lags[len(lags)-1], len(lags))
	}
}

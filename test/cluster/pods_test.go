package cluster

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/controlplane"
)

// pods are the workloads of hack/kind, and what is known about them.
type pods struct {
	witnesses []*witness
	stop      context.CancelFunc

	mu        sync.Mutex
	published map[string]time.Time // when an access key came into the target Secret
}

// startPods returns when all of them run and are listened to.
func (s *stage) startPods() *pods {
	s.Helper()
	p := &pods{published: map[string]time.Time{}}
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
	s.Cleanup(func() {
		p.stop()
		p.judge(s)
	})
	list := &corev1.PodList{}
	s.must(api.List(ctx, list, client.InNamespace(s.namespace)))
	for _, pod := range list.Items {
		p.witnesses = append(p.witnesses, observe(ctx, s.T, &pod))
	}
	go p.watchTarget(ctx, s.namespace)
	return p
}

// watchTarget notes when access keys are published.
func (p *pods) watchTarget(ctx context.Context, namespace string) {
	changes, err := api.Watch(ctx, &corev1.SecretList{}, client.InNamespace(namespace), client.MatchingFields{"metadata.name": "dev"})
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

// awaitRotations waits until each pod has gone on to so many new access keys.
func (p *pods) awaitRotations(s *stage, more int) {
	s.Helper()
	wanted := map[*witness]int{}
	for _, w := range p.witnesses {
		if !w.skipsKeys() {
			wanted[w] = w.rotations() + more
		}
	}
	s.await("the pods use new access keys", func() bool {
		return !slices.ContainsFunc(p.witnesses, func(w *witness) bool { return w.rotations() < wanted[w] })
	})
}

// awaitCalls waits until each pod has called so many times more.
func (p *pods) awaitCalls(s *stage, more int) {
	s.Helper()
	before := map[*witness]int{}
	for _, w := range p.witnesses {
		before[w] = w.count()
	}
	s.await("the pods go on calling", func() bool {
		return !slices.ContainsFunc(p.witnesses, func(w *witness) bool { return w.count() < before[w]+more })
	})
}

// expectNoRotations: from now on the operator is gone.
func (p *pods) expectNoRotations() {
	for _, w := range p.witnesses {
		w.expectNoRotation()
	}
}

// judge fails the test with what went wrong in pods.
func (p *pods) judge(s *stage) {
	s.Helper()
	var lags []time.Duration
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.witnesses {
		w.judge(s.T)
		if w.skipsKeys() {
			continue
		}
		lags = append(lags, w.lags(p.published)...)
		if w.rotations() < 6 {
			s.Errorf("%s has gone through %d rotations only", w.pod, w.rotations())
		}
	}
	if slices.Sort(lags); len(lags) > 0 {
		s.Logf("from the target Secret to a call with it: median %s, longest %s, of %d", lags[len(lags)/2], lags[len(lags)-1], len(lags))
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/hack/show"
)

// readPeriod is how often each target is read by a workload.
const readPeriod = 250 * time.Millisecond

// targets are the target Secrets as the API server shows them: each version of each
// is seen through a watch, and stays what workloads read until the next.
type targets struct {
	mu   sync.Mutex
	seen map[types.NamespacedName]sight
}

// sight is one version of a target.
type sight struct {
	contents
	wrong error // why workloads cannot read it
}

var errMissing = errors.New("there is no such Secret")

func (t *targets) look(key types.NamespacedName) sight {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.seen[key]; ok {
		return s
	}
	return sight{wrong: errMissing}
}

// note takes up a version, and returns the one before.
func (t *targets) note(key types.NamespacedName, s sight) (before sight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before = t.seen[key]
	t.seen[key] = s
	return before
}

func (k *soak) watchTargets(ctx context.Context) error {
	k.targets.seen = map[types.NamespacedName]sight{}
	owners := map[types.NamespacedName]*member{}
	for _, m := range k.members {
		owners[m.key] = m
	}
	for i := range namespaces {
		go k.watchNamespace(ctx, fmt.Sprintf("team-%d", i), owners)
	}
	return nil
}

// watchNamespace begins a watch that the server ends anew, with the targets as they
// are then.
func (k *soak) watchNamespace(ctx context.Context, namespace string, owners map[types.NamespacedName]*member) {
	for ctx.Err() == nil {
		events, err := k.api.Watch(ctx, &corev1.SecretList{}, client.InNamespace(namespace),
			client.MatchingLabels{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy})
		if err != nil {
			k.Fail(fmt.Errorf("watch the targets in %s: %w", namespace, err))
			return
		}
		for event := range events.ResultChan() {
			secret, ok := event.Object.(*corev1.Secret)
			if !ok {
				continue
			}
			if m := owners[client.ObjectKeyFromObject(secret)]; m != nil {
				k.observe(m, event.Type, secret)
			}
		}
	}
}

// observe reads a new version of a target as it arrives.
func (k *soak) observe(m *member, kind watch.EventType, secret *corev1.Secret) {
	s := sight{wrong: errMissing}
	if kind != watch.Deleted {
		s.contents, s.wrong = readFiles(secret.Data, m.formats)
	}
	before := k.targets.note(m.key, s)
	if s.wrong == nil && before.AccessKeyID != "" && before.AccessKeyID != s.AccessKeyID {
		k.findings.published(time.Until(before.ExpiresAt))
	}
	k.read(m, s)
}

// readAgainAndAgain reads all targets as workloads do, until the operators stop.
func (k *soak) readAgainAndAgain(ctx context.Context) {
	for k.measuring() && show.Sleep(ctx, readPeriod) == nil {
		for _, m := range k.members {
			k.read(m, k.targets.look(m.key))
		}
	}
}

// read judges what a workload reads now.
func (k *soak) read(m *member, s sight) {
	if !k.measuring() {
		return
	}
	if s.wrong != nil {
		if !m.isExcused() {
			k.findings.unreadable(k.violation(m.key.String(), "cannot be read: "+s.wrong.Error()))
		}
		return
	}
	left := time.Until(s.ExpiresAt)
	var broken *violation
	if left < k.promised() {
		broken = k.violation(m.key.String(), fmt.Sprintf("has credentials with %s left, and %s are promised", seconds(left), seconds(k.promised())))
	}
	k.findings.readable(left, broken)
}

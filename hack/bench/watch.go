package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/scheme"
)

// watcher sees every LoginSession and every target Secret change.
type watcher struct {
	cache.Cache

	bench *bench

	mu        sync.Mutex
	tally     *tally
	promised  time.Duration // the least life of credentials that are replaced
	replaced  []time.Duration
	recording bool
}

// tally is when each LoginSession first met a condition.
type tally struct {
	meets func(*v1alpha1.LoginSession) bool
	at    map[types.NamespacedName]time.Time
	first time.Time
	last  time.Time
}

func (s *stage) watch(ctx context.Context) (*watcher, error) {
	objects, err := cache.New(s.admin, cache.Options{
		Scheme: scheme.New(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Label: labels.SelectorFromSet(labels.Set{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy})},
		},
	})
	if err != nil {
		return nil, err
	}
	w := &watcher{Cache: objects, bench: s.bench, promised: awsLifetime / 3}
	for kind, handler := range map[client.Object]toolscache.ResourceEventHandlerFuncs{
		&v1alpha1.LoginSession{}: {UpdateFunc: func(_, changed any) { w.observeSession(changed.(*v1alpha1.LoginSession)) }},
		&corev1.Secret{}:         {UpdateFunc: func(before, after any) { w.observeTarget(before.(*corev1.Secret), after.(*corev1.Secret)) }},
	} {
		informer, err := objects.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, err
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, err
		}
	}
	go func() { s.Fail(objects.Start(ctx)) }()
	if !objects.WaitForCacheSync(ctx) {
		return nil, errors.New("the caches did not sync")
	}
	return w, nil
}

// begin counts anew who meets a condition from now on.
func (w *watcher) begin(meets func(*v1alpha1.LoginSession) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally = &tally{meets: meets, at: map[types.NamespacedName]time.Time{}}
}

// await waits until so many LoginSessions have met the condition.
func (w *watcher) await(ctx context.Context, goal int, patience time.Duration, say func(string, ...any)) (first, last time.Time, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not all LoginSessions were done within %s", patience))
	defer cancel()
	told := time.Now()
	for {
		w.mu.Lock()
		done, first, last := len(w.tally.at), w.tally.first, w.tally.last
		w.mu.Unlock()
		if done >= goal {
			return first, last, nil
		}
		if time.Since(told) > 10*time.Second {
			say("  %d of %d", done, goal)
			told = time.Now()
		}
		if err := show.Sleep(ctx, 50*time.Millisecond); err != nil {
			return first, last, fmt.Errorf("%d of %d: %w", done, goal, err)
		}
	}
}

func (w *watcher) observeSession(session *v1alpha1.LoginSession) {
	now, name := time.Now(), client.ObjectKeyFromObject(session)
	if ready := readyOf(session); ready == "False" {
		w.bench.breakPromise("LoginSession %s is not Ready", name)
	}
	if refresh := session.Status.Refresh; refresh != nil && refresh.Failures > 0 {
		w.bench.breakPromise("LoginSession %s: a refresh failed", name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tally == nil || !w.tally.meets(session) {
		return
	}
	if _, known := w.tally.at[name]; known {
		return
	}
	if len(w.tally.at) == 0 {
		w.tally.first = now
	}
	w.tally.at[name], w.tally.last = now, now
}

func readyOf(session *v1alpha1.LoginSession) string {
	if ready := meta.FindStatusCondition(session.Status.Conditions, v1alpha1.ReadyCondition); ready != nil {
		return string(ready.Status)
	}
	return ""
}

func isReady(session *v1alpha1.LoginSession) bool { return readyOf(session) == "True" }

// observeTarget takes note of the life that credentials have left when others replace
// them, as whoever watches the Secret sees it.
func (w *watcher) observeTarget(before, after *corev1.Secret) {
	now := time.Now()
	old, new, err := readBoth(before, after)
	if err != nil {
		w.bench.breakPromise("Secret %s: %v", client.ObjectKeyFromObject(after), err)
		return
	}
	if old.AccessKeyID == new.AccessKeyID {
		return
	}
	left := old.Expiration.Sub(now)
	w.mu.Lock()
	defer w.mu.Unlock()
	if left < w.promised {
		w.bench.breakPromise("Secret %s: credentials were replaced with %s left, and %s are promised", client.ObjectKeyFromObject(after), left.Round(time.Millisecond), w.promised)
	}
	if w.recording {
		w.replaced = append(w.replaced, left)
	}
}

func (w *watcher) promise(least time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.promised = least
}

func (w *watcher) record(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recording = on
}

// published is the part of credentials.json that counts here.
type published struct {
	AccessKeyID string `json:"AccessKeyId"`
	Expiration  time.Time
}

func readBoth(before, after *corev1.Secret) (old, new published, err error) {
	old, errOld := readTarget(before)
	new, errNew := readTarget(after)
	return old, new, errors.Join(errOld, errNew)
}

func readTarget(target *corev1.Secret) (read published, err error) {
	err = json.Unmarshal(target.Data["credentials.json"], &read)
	return read, err
}

// judgeTargets looks at what nobody has replaced, and takes up what was.
func (s *stage) judgeTargets(ctx context.Context, lifetime time.Duration) error {
	var targets corev1.SecretList
	if err := s.watcher.List(ctx, &targets); err != nil {
		return err
	}
	for i := range targets.Items {
		read, err := readTarget(&targets.Items[i])
		if left := time.Until(read.Expiration); err != nil || left < lifetime/3 {
			s.breakPromise("Secret %s has %s left, and %s are promised", client.ObjectKeyFromObject(&targets.Items[i]), left, lifetime/3)
		}
	}
	s.watcher.mu.Lock()
	defer s.watcher.mu.Unlock()
	if len(s.watcher.replaced) == 0 {
		return errors.New("no credentials were replaced")
	}
	s.Cycles.Left = show.Quantile(s.watcher.replaced, 0.01).Seconds()
	return nil
}

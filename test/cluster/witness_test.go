package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// promised is the least life that mounted credentials may have: five minutes of 15,
// and a third of those that the fake AWS gives, which live 45 s.
const promised = 15 * time.Second

// witness reads what a program says of its calls to AWS STS, in a pod.
type witness struct {
	pod string

	mu      sync.Mutex
	promise time.Duration // the least life that mounted credentials may have
	calls   int
	least   float64              // seconds left to mounted credentials
	keys    map[string]time.Time // when an access key was first used
	against []string             // what went wrong
}

// call is a line of hack/workload's programs.
type call struct {
	SecondsLeft float64
	ARN, Error  string
	AccessKeyID string
}

// observe follows a pod's log until the end of the test.
func observe(ctx context.Context, t *testing.T, pod *corev1.Pod) *witness {
	t.Helper()
	w := &witness{pod: pod.Name, promise: promised, least: 1e9, keys: map[string]time.Time{}}
	log, err := clientset.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	if err != nil {
		t.Fatalf("follow the log of %s: %v", pod.Name, err)
	}
	go w.read(ctx, log)
	return w
}

func (w *witness) read(ctx context.Context, log io.ReadCloser) {
	defer log.Close()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		w.hear(lines.Bytes(), time.Now())
	}
	if ctx.Err() == nil {
		w.complain("its log has ended")
	}
}

func (w *witness) hear(line []byte, at time.Time) {
	var c call
	if err := json.Unmarshal(line, &c); err != nil {
		w.complain(fmt.Sprintf("says %q", line))
		return
	}
	w.mu.Lock()
	late := c.SecondsLeft < w.promise.Seconds()
	w.calls++
	if c.Error == "" {
		w.least = min(w.least, c.SecondsLeft)
	}
	if _, known := w.keys[c.AccessKeyID]; !known {
		w.keys[c.AccessKeyID] = at
	}
	w.mu.Unlock()
	switch {
	case c.Error != "":
		w.complain("a call failed: " + c.Error)
	case late:
		w.complain(fmt.Sprintf("%.1f s are left to what is mounted", c.SecondsLeft))
	}
}

// expectNoRotation: from now on calls must succeed, and credentials may grow old.
func (w *witness) expectNoRotation() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.promise = 0
}

func (w *witness) complain(of string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.against = append(w.against, time.Now().Format(time.TimeOnly)+" "+of)
}

func (w *witness) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

// skipsKeys says whether the program is with the SDK for Go, which reads the files
// again when its credentials have expired, and so does not see all.
func (w *witness) skipsKeys() bool { return strings.HasPrefix(w.pod, "distroless") }

// rotations is how often it has gone on to another access key.
func (w *witness) rotations() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.keys) - 1
}

// lags is how long after a key was published it was first used, in no
// particular order; keys that it began with do not count.
func (w *witness) lags(published map[string]time.Time) (found []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, used := range w.keys {
		if at, ok := published[key]; ok {
			found = append(found, used.Sub(at))
		}
	}
	return found
}

// judge fails the test with what went wrong, and tells what was seen.
func (w *witness) judge(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Logf("%-32s %4d calls, %d failures or complaints, %d access keys, never less than %.1f s left", w.pod, w.calls, len(w.against), len(w.keys), w.least)
	if len(w.against) > 0 {
		t.Errorf("%s: %s", w.pod, strings.Join(w.against[:min(5, len(w.against))], "\n"))
	}
	if w.calls == 0 {
		t.Errorf("%s has called nothing", w.pod)
	}
}

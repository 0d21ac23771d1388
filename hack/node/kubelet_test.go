package node

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestInsideMountedSecret measures how long after a change of a Secret a pod that
// mounts it sees the new content.
func TestInsideMountedSecret(t *testing.T) {
	t.Run("is new at once in pods that are annotated, as --nudge-pods does", func(t *testing.T) {
		readers(t)
		// By itself the kubelet syncs a pod 60 s after its last sync at the earliest.
		rotate(t, 55*time.Second, func() {
			kubectl(t, "annotate", "pods", "--selector", "app=reader", "--overwrite", "awslogin.dev/nudged-at="+time.Now().Format(time.RFC3339Nano))
		})
	})
	t.Run("is new some time later in others", func(t *testing.T) {
		if !*full {
			t.Skip("-full measures it")
		}
		readers(t)
		// Pods are synced 60 to 90 s after their last sync, which has just been.
		for _, wait := range []time.Duration{12 * time.Second, 37 * time.Second, 62 * time.Second} {
			time.Sleep(wait)
			rotate(t, 3*time.Minute, func() {})
		}
	})
}

// rotate changes the Secret, does what is to be done then, and prints how much later
// than the change pods had the new content, which all must have in time.
func rotate(t *testing.T, patience time.Duration, then func()) {
	t.Helper()
	content := time.Now().Format(time.RFC3339Nano)
	kubectl(t, "patch", "secret", "dev", "--patch", fmt.Sprintf(`{"stringData": {"credentials.json": %q}}`, content))
	changed := time.Now()
	then()
	late := watch(t, content, changed, patience)
	fmt.Printf("after the change, pods saw it: first %.1f s, median %.1f s, last %.1f s\n",
		late[0].Seconds(), late[len(late)/2].Seconds(), late[len(late)-1].Seconds())
}

// watch gives for each pod, earliest first, when its volume had the content.
func watch(t *testing.T, content string, changed time.Time, patience time.Duration) []time.Duration {
	t.Helper()
	pending, err := filepath.Glob("/run/node/kubelet/pods/*/volumes/kubernetes.io~secret/aws/credentials.json")
	if err != nil || len(pending) != 6 {
		t.Fatalf("the pods' volumes are %q, %v", pending, err)
	}
	var late []time.Duration
	for len(pending) > 0 {
		time.Sleep(10 * time.Millisecond)
		since := time.Since(changed)
		if since > patience {
			t.Fatalf("%d pods did not have it within %s", len(pending), patience)
		}
		pending = slices.DeleteFunc(pending, func(volume string) bool {
			got, err := os.ReadFile(volume)
			if err != nil || string(got) != content {
				return false
			}
			late = append(late, since)
			return true
		})
	}
	return late
}

package cluster

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/internal/controlplane"
)

const operatorNamespace = "awslogin-system"

// leader is the pod of the replica that works, if one does.
func (s *stage) leader() string {
	s.Helper()
	leases := &coordinationv1.LeaseList{}
	s.must(api.List(s.Context(), leases, client.InNamespace(operatorNamespace)))
	if len(leases.Items) != 1 {
		s.Fatalf("there are %d leases", len(leases.Items))
	}
	pod, _, _ := strings.Cut(ptr.Deref(leases.Items[0].Spec.HolderIdentity, ""), "_")
	return pod
}

func (s *stage) awaitNewLeader(before string) {
	s.Helper()
	s.await("another pod than "+before+" leads", func() bool { return !slices.Contains([]string{"", before}, s.leader()) })
}

// upgrade replaces both replicas.
func (s *stage) upgrade() {
	s.Helper()
	s.run("", "helm", "upgrade", "awslogin", filepath.Join(controlplane.Root(), "charts", "aws-login-operator"),
		"--namespace", operatorNamespace, "--reuse-values", "--set", "podAnnotations.upgraded=once", "--wait", "--timeout", "90s")
}

// logOperators tells what the operator's pods have used, as their nodes know it.
func (s *stage) logOperators() {
	s.Helper()
	list := &corev1.PodList{}
	s.must(api.List(s.Context(), list, client.InNamespace(operatorNamespace)))
	for _, pod := range list.Items {
		used := s.used(&pod)
		role := "waits"
		if pod.Name == s.leader() {
			role = "leads"
		}
		s.Logf("%-32s %s: working set of %d MiB, %s of CPU in %s", pod.Name, role, used.Memory.WorkingSetBytes>>20,
			(time.Duration(used.CPU.UsageCoreNanoSeconds) * time.Nanosecond).Round(time.Millisecond),
			used.CPU.Time.Sub(pod.Status.StartTime.Time).Round(time.Second))
	}
}

// usage is a part of a kubelet's summary.
type usage struct {
	PodRef struct{ Name string }
	CPU    struct {
		Time                 time.Time
		UsageCoreNanoSeconds int64
	}
	Memory struct{ WorkingSetBytes int64 }
}

func (s *stage) used(pod *corev1.Pod) usage {
	s.Helper()
	text, err := clientset.RESTClient().Get().AbsPath("/api/v1/nodes/" + pod.Spec.NodeName + "/proxy/stats/summary").DoRaw(s.Context())
	s.must(err)
	var summary struct{ Pods []usage }
	s.must(json.Unmarshal(text, &summary))
	for _, found := range summary.Pods {
		if found.PodRef.Name == pod.Name {
			return found
		}
	}
	return usage{}
}

package config_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"awslogin.dev/operator/internal/controlplane"
)

// TestClusterManifestsApply: what hack/kind brings into a cluster is accepted, and
// pods of it are restricted ones, in the namespaces that it makes.
func TestClusterManifestsApply(t *testing.T) {
	for _, namespace := range []struct{ folder, name string }{
		{"fake-aws", "fake-aws"},
		{"workloads", "demo"},
	} {
		t.Run(namespace.folder, func(t *testing.T) {
			manifest := kustomize(t, filepath.Join(controlplane.Root(), "hack", "kind", namespace.folder),
				"--load-restrictor", "LoadRestrictionsNone") // samples are where people look for them
			apply(t, manifest)
			admitPods(t, manifest, namespace.name)
		})
	}
}

// TestClusterProgramsAreTheSamples: in a cluster run the samples as they are, but for
// where they come from, what they print, and where AWS is.
func TestClusterProgramsAreTheSamples(t *testing.T) {
	manifest := kustomize(t, filepath.Join(controlplane.Root(), "hack", "kind", "workloads"), "--load-restrictor", "LoadRestrictionsNone")
	for name, run := range podTemplates(t, manifest) {
		sample := podTemplates(t, []byte(read(t, filepath.Join("samples", name+".yaml"))))[name]
		for i := range sample.Spec.Containers {
			own, its := &run.Spec.Containers[i], &sample.Spec.Containers[i]
			own.Image, own.ImagePullPolicy, own.Command = its.Image, its.ImagePullPolicy, its.Command
			own.Env = withoutVariables(own.Env, "PROGRAM", "AWS_ENDPOINT_URL_STS", "SECONDS_BETWEEN_CALLS")
			its.Env = withoutVariables(its.Env, "PROGRAM")
		}
		if !equality.Semantic.DeepEqual(run, sample) {
			t.Errorf("%s: differs in more than that: %v", name, run)
		}
	}
}

func withoutVariables(variables []corev1.EnvVar, names ...string) []corev1.EnvVar {
	return slices.DeleteFunc(variables, func(variable corev1.EnvVar) bool { return slices.Contains(names, variable.Name) })
}

func TestClusterScriptsSayWhatIsMissing(t *testing.T) {
	for cluster, want := range map[string]struct {
		code int
		says string
	}{
		"kind":  {77, "kind needs Docker, which does not answer here"},
		"other": {2, `CLUSTER is "other": must be kind or node`},
	} {
		t.Run(cluster, func(t *testing.T) {
			command := exec.Command(filepath.Join(controlplane.Root(), "hack", "kind", "cluster.sh"), "true")
			command.Env = []string{"PATH=/usr/bin:/bin", "CLUSTER=" + cluster, "DOCKER_HOST=unix:///nonexistent"}
			said, _ := command.CombinedOutput()
			if code := command.ProcessState.ExitCode(); code != want.code || !strings.Contains(string(said), want.says) || strings.Count(string(said), "\n") != 1 {
				t.Errorf("exits with %d and says %q, want %d and %q in one line", code, said, want.code, want.says)
			}
		})
	}
}

package config_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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
		"node":  {77, "no node can run here"},
		"":      {77, "no node can run here"},
		"other": {2, `CLUSTER is "other": must be kind or node`},
	} {
		t.Run(cluster, func(t *testing.T) {
			path, _ := standIns(t, map[string]string{"docker": "exit 1", "id": "echo 1000"})
			command := exec.Command(filepath.Join(controlplane.Root(), "hack", "kind", "cluster.sh"), "true")
			command.Env = []string{"PATH=" + path, "CLUSTER=" + cluster}
			said, _ := command.CombinedOutput()
			if code := command.ProcessState.ExitCode(); code != want.code || !strings.Contains(string(said), want.says) || strings.Count(string(said), "\n") != 1 {
				t.Errorf("exits with %d and says %q, want %d and %q in one line", code, said, want.code, want.says)
			}
		})
	}
}

// TestClusterIsAsFastAsDocumented: the credentials' life, and how often the kubelet
// looks, are AWS's and a kubelet's in one proportion.
func TestClusterIsAsFastAsDocumented(t *testing.T) {
	folder := filepath.Join(controlplane.Root(), "hack", "kind")
	lifetime := secondsIn(t, filepath.Join(folder, "fake-aws", "deployment.yaml"), `--credential-lifetime=(\d+)s`)
	sync := secondsIn(t, filepath.Join(folder, "cluster.yaml"), `syncFrequency: (\d+)s`)
	if lifetime != 15*sync {
		t.Errorf("credentials live %d s and the kubelet syncs every %d s, want 15 to 1", lifetime, sync)
	}
	document := read(t, filepath.Join(controlplane.Root(), "docs", "kind.md"))
	for _, row := range []string{
		fmt.Sprintf("| credentials live | %d s | 15 min |", lifetime),
		fmt.Sprintf("with so much left | %d s | 10 min |", lifetime*2/3),
		fmt.Sprintf("each pod every | %d s ", sync),
		fmt.Sprintf("never have less than | %d s | 5 min |", lifetime/3),
	} {
		if !strings.Contains(document, row) {
			t.Errorf("docs/kind.md does not have %q", row)
		}
	}
}

func secondsIn(t *testing.T, file, pattern string) int {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(read(t, file))
	if found == nil {
		t.Fatalf("%s has no %s", file, pattern)
	}
	seconds, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return seconds
}

// standIns are programs for a PATH of their own, which note how they were called.
func standIns(t *testing.T, programs map[string]string) (path, notes string) {
	t.Helper()
	path = t.TempDir()
	notes = filepath.Join(path, "notes")
	for name, script := range programs {
		script = "#!/bin/sh\necho " + name + " \"$@\" >>" + notes + "\n" + script + "\n"
		if err := os.WriteFile(filepath.Join(path, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return path + ":/usr/bin:/bin", notes
}

// TestKindReadsItsConfiguration: the real kind, which only then looks for Docker.
func TestKindReadsItsConfiguration(t *testing.T) {
	path, _ := standIns(t, map[string]string{"docker": "exit 1"})
	root := controlplane.Root()
	command := exec.Command(filepath.Join(root, "bin", "tools", "kind"), "create", "cluster", "--config", filepath.Join(root, "hack", "kind", "cluster.yaml"))
	command.Env = []string{"PATH=" + path, "KIND_EXPERIMENTAL_PROVIDER=docker"} // also where there is Podman
	if said, err := command.CombinedOutput(); err == nil || !strings.Contains(string(said), "docker info") {
		t.Errorf("kind says %s, want that it has no Docker", said)
	}
}

// TestClusterOfKindGetsEveryImage, with stand-ins for kind and Docker.
func TestClusterOfKindGetsEveryImage(t *testing.T) {
	const made = `docker info
docker build --quiet --tag ghcr.io/awslogin-dev/aws-login-operator:dev .
docker build --quiet --file ROOT/hack/kind/Dockerfile --target fake-aws --tag awslogin.dev/fake-aws:dev .
docker build --quiet --file ROOT/hack/kind/Dockerfile --target workload --tag awslogin.dev/workload:dev .
docker build --quiet --file ROOT/hack/kind/Dockerfile --target boto3 --tag awslogin.dev/boto3:dev .
kind get clusters
kind create cluster --config ROOT/hack/kind/cluster.yaml --wait 3m
kind export kubeconfig --name awslogin-demo
kind load docker-image --name awslogin-demo ghcr.io/awslogin-dev/aws-login-operator:dev awslogin.dev/fake-aws:dev awslogin.dev/workload:dev awslogin.dev/boto3:dev
`
	const deleted = "kind delete cluster --name awslogin-demo\n"
	for name, test := range map[string]struct{ keep, clusters, notes string }{
		"and is deleted at the end":     {"", "", made + deleted},
		"and is kept":                   {"1", "", made},
		"also if it was kept last time": {"1", "awslogin-demo", strings.Replace(made, "kind create cluster --config ROOT/hack/kind/cluster.yaml --wait 3m\n", "", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			path, notes := standIns(t, map[string]string{"docker": "", "kind": `case "$*" in "get clusters") echo ` + test.clusters + ";; esac"})
			command := exec.Command(filepath.Join(controlplane.Root(), "hack", "kind", "cluster.sh"), "sh", "-c", "echo $KUBECONFIG; exit 3")
			command.Env = []string{"PATH=" + path, "CLUSTER=kind", "KEEP=" + test.keep}
			output, _ := command.Output()
			if want := filepath.Join(controlplane.Root(), "bin", "kind", "kubeconfig\n"); string(output) != want || command.ProcessState.ExitCode() != 3 {
				t.Errorf("the command ended with %s and said %q, want 3 and %q", command.ProcessState, output, want)
			}
			if got := strings.ReplaceAll(read(t, notes), controlplane.Root(), "ROOT"); got != test.notes {
				t.Errorf("done was\n%swant\n%s", got, test.notes)
			}
		})
	}
}

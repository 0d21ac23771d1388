// Package config_test applies the manifests and the documentation's examples to
// a real API server.
package config_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"awslogin.dev/operator/internal/controlplane"
)

var (
	environment *envtest.Environment
	clientset   *kubernetes.Clientset
	scratch     string // a folder for all tests
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "config suite:", err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	if environment, err = controlplane.Start(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, environment.Stop()) }()
	if clientset, err = kubernetes.NewForConfig(environment.Config); err != nil {
		return 0, err
	}
	if scratch, err = os.MkdirTemp("", "config_test"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err = os.WriteFile(kubeconfig(), environment.KubeConfig, 0o600); err != nil {
		return 0, err
	}
	// The samples and the documentation's examples go here; it warns of every
	// workload whose pods would be refused.
	if err = makeNamespace("examples"); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

func kubeconfig() string { return filepath.Join(scratch, "kubeconfig") }

// makeNamespace makes a namespace that allows restricted pods only.
func makeNamespace(name string) error {
	_, err := clientset.CoreV1().Namespaces().Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name,
		Labels: map[string]string{
			"pod-security.kubernetes.io/enforce": "restricted",
			"pod-security.kubernetes.io/warn":    "restricted",
		},
	}}, metav1.CreateOptions{})
	return err
}

// apply hands a manifest to `kubectl apply` and wants neither error nor warning.
func apply(t *testing.T, manifest []byte, arguments ...string) {
	t.Helper()
	arguments = append([]string{"apply", "--server-side", "--validate=strict", "-f", "-"}, arguments...)
	if _, complaints := kubectl(t, manifest, arguments...); complaints != "" {
		t.Errorf("kubectl apply complains: %s", complaints)
	}
}

// kubectl runs it as an administrator of the cluster.
func kubectl(t *testing.T, input []byte, arguments ...string) (output []byte, complaints string) {
	t.Helper()
	arguments = append([]string{"--kubeconfig", kubeconfig(), "--cache-dir", filepath.Join(scratch, "cache")}, arguments...)
	return run(t, input, environment.ControlPlane.KubectlPath, arguments...)
}

// run runs a program and returns what it writes to standard output and error.
func run(t *testing.T, input []byte, program string, arguments ...string) (output []byte, complaints string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := exec.Command(program, arguments...)
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(input), &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(arguments, " "), err, &stderr)
	}
	return stdout.Bytes(), stderr.String()
}

// kustomize builds one of the folders here, or an overlay of one.
func kustomize(t *testing.T, folder string) []byte {
	t.Helper()
	manifest, _ := run(t, nil, filepath.Join(controlplane.Root(), "bin", "tools", "kustomize"), "build", folder)
	return manifest
}

// objects are those of a kind in a manifest of several.
func objects[T any](t *testing.T, manifest []byte, kind string) (found []T) {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		var raw runtime.RawExtension
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		var object T
		var about metav1.TypeMeta
		if yaml.Unmarshal(raw.Raw, &about) != nil || about.Kind != kind {
			continue
		}
		if err := yaml.Unmarshal(raw.Raw, &object); err != nil {
			t.Fatal(err)
		}
		found = append(found, object)
	}
}

func deployments(t *testing.T, manifest []byte) []appsv1.Deployment {
	t.Helper()
	return objects[appsv1.Deployment](t, manifest, "Deployment")
}

// podTemplates are those of every Deployment and CronJob in a manifest, by name.
func podTemplates(t *testing.T, manifest []byte) map[string]corev1.PodTemplateSpec {
	t.Helper()
	found := map[string]corev1.PodTemplateSpec{}
	for _, deployment := range deployments(t, manifest) {
		found[deployment.Name] = deployment.Spec.Template
	}
	for _, job := range objects[batchv1.CronJob](t, manifest, "CronJob") {
		found[job.Name] = job.Spec.JobTemplate.Spec.Template
	}
	return found
}

// admitPods has the API server admit a pod of every Deployment and CronJob in a
// manifest: they are admitted themselves even where none of their pods ever will be.
func admitPods(t *testing.T, manifest []byte, namespace string) {
	t.Helper()
	for name, template := range podTemplates(t, manifest) {
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.GenerateName = name + "-"
		_, err := clientset.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			t.Errorf("a pod of %s: %v", name, err)
		}
	}
}

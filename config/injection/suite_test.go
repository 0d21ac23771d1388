// Package injection_test has a real API server inject credentials into pods.
package injection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
)

const (
	injectLabel = "awslogin.dev/inject"
	formatLabel = "awslogin.dev/inject-format"
)

// objects are what the tests' pods find: both namespaces allow restricted pods
// only, and in one of them somebody may create pods and do nothing else.
const objects = `
apiVersion: v1
kind: Namespace
metadata: {name: data, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Namespace
metadata: {name: elsewhere, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: creator, namespace: data}
rules: [{apiGroups: [""], resources: [pods], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: creator, namespace: data}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: creator}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: creator}]
---
apiVersion: awslogin.dev/v1alpha1
kind: LoginSession
metadata: {name: dev, namespace: data}
spec: {loginCacheSecretRef: {name: login}}
---
apiVersion: awslogin.dev/v1alpha1
kind: LoginSession
metadata: {name: custom, namespace: data}
spec:
  loginCacheSecretRef: {name: login}
  region: ap-northeast-1
  target: {secretName: aws, mountPath: /aws}
---
apiVersion: awslogin.dev/v1alpha1
kind: LoginSession
metadata: {name: distroless, namespace: data}
spec: {loginCacheSecretRef: {name: login}, target: {formats: [LoginCache]}}
---
apiVersion: awslogin.dev/v1alpha1
kind: LoginSession
metadata: {name: static, namespace: data}
spec: {loginCacheSecretRef: {name: login}, target: {formats: [Environment, SharedCredentials, CredentialProcess]}}
---
apiVersion: awslogin.dev/v1alpha1
kind: LoginSession
metadata: {name: environment, namespace: data}
spec: {loginCacheSecretRef: {name: login}, target: {formats: [Environment]}}
---
apiVersion: awslogin.dev/v1alpha1
kind: LoginSession
metadata: {name: suspended, namespace: data}
spec: {loginCacheSecretRef: {name: login}, suspend: true}
---
apiVersion: awslogin.dev/v1alpha1
kind: LoginSession
metadata: {name: theirs, namespace: elsewhere}
spec: {loginCacheSecretRef: {name: login}}
---
apiVersion: awslogin.dev/v1alpha1
kind: LoginSession
metadata: {name: dev, namespace: elsewhere}
spec: {loginCacheSecretRef: {name: login}, region: us-east-1}
`

var (
	environment *envtest.Environment
	clientset   *kubernetes.Clientset
	kubectl     func(arguments ...string) (stdout, stderr io.Reader, err error)
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "injection suite:", err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	if environment, err = controlplane.Start(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, environment.Stop()) }()
	environment.Config.WarningHandler = rest.NoWarnings{} // a pod is odd on purpose
	if clientset, err = kubernetes.NewForConfig(environment.Config); err != nil {
		return 0, err
	}
	admin, err := environment.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return 0, err
	}
	client, err := admin.Kubectl()
	if err != nil {
		return 0, err
	}
	kubectl = client.Run
	for range 2 { // an upgrade is one more apply
		if err = apply("-k", "."); err != nil {
			return 0, err
		}
	}
	if err = applyManifest(objects); err != nil {
		return 0, err
	}
	if err = policiesWork(); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// apply wants neither error nor warning.
func apply(arguments ...string) error {
	_, stderr, err := kubectl(append([]string{"apply", "--server-side", "--validate=strict"}, arguments...)...)
	if err != nil {
		err = fmt.Errorf("kubectl apply: %w", err)
	}
	complaints, unread := io.ReadAll(stderr)
	if len(complaints) > 0 {
		err = errors.Join(err, fmt.Errorf("kubectl apply complains: %s", complaints))
	}
	return errors.Join(err, unread)
}

func applyManifest(manifest string) error {
	file, err := os.CreateTemp("", "*.yaml")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err = file.WriteString(manifest); err != nil {
		return err
	}
	return errors.Join(file.Close(), apply("-f", file.Name()))
}

// policiesWork waits until the API server has taken notice of the policies, which
// takes it up to a second, and of every LoginSession.
func policiesWork() error {
	for _, pod := range []*corev1.Pod{
		podFor("data", "dev"), podFor("data", "custom"), podFor("data", "distroless"), podFor("data", "static"),
		podFor("data", "suspended"), podFor("elsewhere", "theirs"), podFor("elsewhere", "dev"),
	} {
		if err := poll(func(ctx context.Context) bool {
			admitted, err := dryRun(ctx, pod)
			return err == nil && len(admitted.Spec.Volumes) > 0
		}); err != nil {
			return fmt.Errorf("wait until LoginSession %s is injected: %w", pod.Labels[injectLabel], err)
		}
	}
	for name, expected := range map[string]string{"nobody": "has no LoginSession", "environment": "Environment only"} {
		if err := poll(func(ctx context.Context) bool {
			_, err := dryRun(ctx, podFor("data", name))
			return err != nil && strings.Contains(err.Error(), expected)
		}); err != nil {
			return fmt.Errorf("wait until LoginSession %s is refused: %w", name, err)
		}
	}
	return nil
}

// poll waits for what may take the API server half a minute: it looks for new kinds
// every 30 s.
func poll(done func(context.Context) bool) error {
	return wait.PollUntilContextTimeout(context.Background(), 20*time.Millisecond, time.Minute, true,
		func(ctx context.Context) (bool, error) { return done(ctx), nil })
}

func labels(session string, format ...string) map[string]string {
	labels := map[string]string{injectLabel: session}
	for _, each := range format {
		labels[formatLabel] = each
	}
	return labels
}

// podFor is a pod of one container with the label.
func podFor(namespace, session string) *corev1.Pod {
	pod := podOf("containers: [{name: app}]")
	pod.Namespace = namespace
	pod.Labels = labels(session)
	return pod
}

// podOf makes a pod of a spec in YAML and adds what every pod needs.
func podOf(spec string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "data", GenerateName: "pod-"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &pod.Spec); err != nil {
		panic(err)
	}
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot:   ptr.To(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			containers[i].Image = "example.com/app"
			containers[i].SecurityContext = &corev1.SecurityContext{
				AllowPrivilegeEscalation: ptr.To(false),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}
		}
	}
	return pod
}

// dryRun has the API server admit a pod, and returns what it would store.
func dryRun(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	return clientset.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

func admit(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	admitted, err := dryRun(t.Context(), pod)
	if err != nil {
		t.Fatal(err)
	}
	return admitted
}

// describe tells what a pod has of AWS: a line for each volume and each container.
func describe(pod *corev1.Pod) string {
	var lines []string
	for _, volume := range pod.Spec.Volumes {
		if volume.Secret == nil {
			lines = append(lines, "volume "+volume.Name)
			continue
		}
		optional := ptr.Deref(volume.Secret.Optional, false)
		lines = append(lines, fmt.Sprintf("volume %s: Secret %s, mode %o, optional %t", volume.Name, volume.Secret.SecretName,
			ptr.Deref(volume.Secret.DefaultMode, 0), optional))
	}
	for _, container := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		lines = append(lines, strings.TrimSpace(container.Name+": "+describeContainer(container)))
	}
	return strings.Join(lines, "\n")
}

func describeContainer(container corev1.Container) string {
	var parts []string
	for _, mount := range container.VolumeMounts {
		mode := "writable"
		if mount.ReadOnly {
			mode = "read-only"
		}
		parts = append(parts, fmt.Sprintf("[%s at %s %s]", mount.Name, mount.MountPath, mode))
	}
	for _, variable := range container.Env {
		parts = append(parts, variable.Name+"="+variable.Value)
	}
	return strings.Join(parts, " ")
}

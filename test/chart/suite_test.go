// Package chart_test has Helm install, upgrade, roll back and uninstall the chart on
// a real API server.
package chart_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/scheme"
)

var (
	environment *envtest.Environment
	api         client.Client
	scratch     string // a folder for all tests
	chart       = filepath.Join(controlplane.Root(), "charts", "aws-login-operator")
)

func TestMain(m *testing.M) {
	code, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chart suite:", err)
		code = 1
	}
	os.Exit(code)
}

func runSuite(m *testing.M) (code int, err error) {
	if environment, err = controlplane.Start(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, environment.Stop()) }()
	if api, err = client.New(environment.Config, client.Options{Scheme: scheme.New()}); err != nil {
		return 0, err
	}
	if scratch, err = os.MkdirTemp("", "chart_test"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err = os.WriteFile(filepath.Join(scratch, "kubeconfig"), environment.KubeConfig, 0o600); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// program runs one with the cluster's kubeconfig, and in a home of its own.
func program(path string, arguments ...string) (output string, err error) {
	var written bytes.Buffer
	command := exec.Command(path, arguments...)
	command.Env = []string{"HOME=" + scratch, "KUBECONFIG=" + filepath.Join(scratch, "kubeconfig")}
	command.Stdout, command.Stderr = &written, &written
	if err := command.Run(); err != nil {
		return written.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(path), strings.Join(arguments, " "), err, &written)
	}
	return written.String(), nil
}

// helm is Helm of one version.
type helm string

// forEachHelm runs a test on a cluster that never had the operator.
func forEachHelm(t *testing.T, test func(t *testing.T, helm helm)) {
	for _, name := range []helm{"helm", "helm3"} {
		t.Run(string(name), func(t *testing.T) {
			withoutCRD(t)
			test(t, name)
		})
	}
}

func (h helm) try(arguments ...string) (output string, err error) {
	return program(filepath.Join(controlplane.Root(), "bin", "tools", string(h)), arguments...)
}

func (h helm) run(t *testing.T, arguments ...string) (output string) {
	t.Helper()
	output, err := h.try(arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// install installs a release until the test's end.
func (h helm) install(t *testing.T, release, namespace string, arguments ...string) (notes string) {
	t.Helper()
	t.Cleanup(func() { _, _ = h.try("uninstall", release, "--namespace", namespace) }) // unless the test did
	return h.run(t, append([]string{"install", release, "--namespace", namespace}, arguments...)...)
}

func kubectl(t *testing.T, arguments ...string) {
	t.Helper()
	if _, err := program(environment.ControlPlane.KubectlPath, arguments...); err != nil {
		t.Fatal(err)
	}
}

const crdName = "loginsessions.awslogin.dev"

// withoutCRD deletes it, with every LoginSession, and waits for what goes with it.
func withoutCRD(t *testing.T) {
	t.Helper()
	kubectl(t, "delete", "--ignore-not-found", "crd", crdName)
	kubectl(t, "wait", "--for=delete", "apiservice/v1alpha1.awslogin.dev", "--timeout=30s")
}

// makeNamespace makes one whose name no other test has, because none ever goes.
func makeNamespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "chart-"}}
	if err := api.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

// makeLoginSession makes one as a person and the operator leave it.
func makeLoginSession(t *testing.T) *v1alpha1.LoginSession {
	t.Helper()
	session := &v1alpha1.LoginSession{
		ObjectMeta: metav1.ObjectMeta{Namespace: makeNamespace(t), Name: "dev"},
		Spec:       v1alpha1.LoginSessionSpec{LoginCacheSecretRef: v1alpha1.LoginCacheSecretRef{Name: "dev-login"}, Region: "eu-central-1"},
	}
	eventually(t, "LoginSessions to be served", func() error { return api.Create(t.Context(), session) })
	session.Status.ObservedGeneration = session.Generation
	session.Status.Identity = &v1alpha1.Identity{AccountID: "111122223333"}
	if err := api.Status().Update(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	return session
}

// wantUntouched wants a LoginSession as it was: no other of its name, and no edit.
func wantUntouched(t *testing.T, want *v1alpha1.LoginSession) {
	t.Helper()
	got := &v1alpha1.LoginSession{}
	eventually(t, "LoginSessions to be served", func() error { return api.Get(t.Context(), client.ObjectKeyFromObject(want), got) })
	if got.UID != want.UID || got.ResourceVersion != want.ResourceVersion {
		t.Errorf("the LoginSession is\n%v\nand was\n%v", got, want)
	}
}

// eventually is for what the API server takes notice of by itself: that a CRD has
// come, changed, or gone.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for range 600 {
		if err = try(); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited for %s: %v", what, err)
}

// everything is each object of the cluster, but for those that come and go by
// themselves.
func everything(t *testing.T) (names []string) {
	t.Helper()
	var lists []*metav1.APIResourceList
	eventually(t, "all kinds to be known", func() (err error) {
		lists, err = discovery.NewDiscoveryClientForConfigOrDie(environment.Config).ServerPreferredResources()
		return err
	})
	for _, list := range lists {
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") || slices.Contains([]string{"Event", "Lease", "ComponentStatus"}, resource.Kind) {
				continue
			}
			found := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": list.GroupVersion, "kind": resource.Kind + "List"}}
			if err := api.List(t.Context(), found); err != nil && !apierrors.IsNotFound(err) {
				t.Fatalf("list %s: %v", resource.Name, err)
			}
			for _, object := range found.Items {
				names = append(names, object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName())
			}
		}
	}
	return names
}

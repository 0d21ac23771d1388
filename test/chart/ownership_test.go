package chart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

// wantRefusal wants an installation to fail for a reason.
func (h helm) wantRefusal(t *testing.T, reason, release, namespace string, arguments ...string) {
	t.Helper()
	t.Cleanup(func() { _, _ = h.try("uninstall", release, "--namespace", namespace) })
	output, err := h.try(append([]string{"install", release, chart, "--namespace", namespace}, arguments...)...)
	if err == nil || !strings.Contains(output, reason) {
		t.Errorf("error %v, want one with %q:\n%s", err, reason, output)
	}
}

// applyInstallation is `kubectl apply --server-side -f dist/install.yaml` for a
// namespace of the test.
func applyInstallation(t *testing.T, namespace string) {
	t.Helper()
	manifest, err := program(filepath.Join(controlplane.Root(), "bin", "tools", "kustomize"), "build", filepath.Join(controlplane.Root(), "config", "default"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "install.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(manifest, "awslogin-system", namespace)), 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl(t, "apply", "--server-side", "--filename", file, "--force-conflicts")
	t.Cleanup(func() { kubectl(t, "delete", "--ignore-not-found", "--wait=false", "--filename", file) })
}

func TestMoveFromKubectlToHelm(t *testing.T) {
	forEachHelm(t, func(t *testing.T, helm helm) {
		namespace := makeNamespace(t)
		applyInstallation(t, namespace)
		session := makeLoginSession(t)
		operator := deployment(t, namespace, "awslogin-operator")

		helm.wantRefusal(t, "invalid ownership metadata", "awslogin", namespace)
		helm.wantRefusal(t, "has an operator already, Deployment awslogin-operator", "other", namespace, "--take-ownership")
		flags := []string{"--take-ownership"}
		if helm == "helm" { // on the server's side the fields would stay kubectl's too, and every change be a conflict
			flags = append(flags, "--server-side=false")
		}
		helm.install(t, "awslogin", namespace, append(flags, chart)...)
		wantUntouched(t, session)
		if got := deployment(t, namespace, "awslogin-operator"); got.UID != operator.UID {
			t.Error("the Deployment is another one")
		}
		helm.run(t, "upgrade", "awslogin", chart, "--namespace", namespace, "--set", "replicas=3")
		if got := replicas(t, namespace); got != 3 {
			t.Errorf("after an upgrade there are %d replicas", got)
		}
		helm.run(t, "uninstall", "awslogin", "--namespace", namespace)
		wantUntouched(t, session)
	})
}

func TestReinstall(t *testing.T) {
	forEachHelm(t, func(t *testing.T, helm helm) {
		namespace := makeNamespace(t)
		helm.install(t, "awslogin", namespace, chart)
		session := makeLoginSession(t)
		helm.run(t, "uninstall", "awslogin", "--namespace", namespace)

		helm.install(t, "awslogin", namespace, chart)
		helm.run(t, "uninstall", "awslogin", "--namespace", namespace)

		// The CRD is still the first release's.
		helm.wantRefusal(t, "invalid ownership metadata", "other", namespace)
		helm.install(t, "other", namespace, chart, "--take-ownership")
		helm.run(t, "upgrade", "other", chart, "--namespace", namespace)
		wantUntouched(t, session)
	})
}

func TestTwoReleases(t *testing.T) {
	forEachHelm(t, func(t *testing.T, helm helm) {
		first, second := makeNamespace(t), makeNamespace(t)
		helm.install(t, "one", first, chart, "--set", "watchLabelSelector=shard=1")
		helm.install(t, "two", second, chart, "--set", "watchLabelSelector=shard=2,crds.enabled=false")
		helm.wantRefusal(t, "namespace "+first+" has an operator already, Deployment one-operator", "three", first, "--set", "crds.enabled=false")
		helm.run(t, "uninstall", "two", "--namespace", second)
		deployment(t, first, "one-operator")
	})
}

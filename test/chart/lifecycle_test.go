package chart_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// previousVersion is the chart before there was spec.assumeRole.
func previousVersion(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), filepath.Base(chart))
	if err := os.CopyFS(folder, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "files", "awslogin.dev_loginsessions.yaml")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(content, crd); err != nil {
		t.Fatal(err)
	}
	delete(crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties, "assumeRole")
	if content, err = yaml.Marshal(crd); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// knowsRoles says whether the cluster's CRD has spec.assumeRole.
func knowsRoles(t *testing.T) bool {
	t.Helper()
	crd := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}}
	if err := api.Get(t.Context(), client.ObjectKey{Name: crdName}, crd); err != nil {
		t.Fatal(err)
	}
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil {
		t.Fatal(err)
	}
	_, known, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema", "properties", "spec", "properties", "assumeRole")
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func deployment(t *testing.T, namespace, name string) *appsv1.Deployment {
	t.Helper()
	found := &appsv1.Deployment{}
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, found); err != nil {
		t.Fatal(err)
	}
	return found
}

func replicas(t *testing.T, namespace string) int32 {
	t.Helper()
	return *deployment(t, namespace, "awslogin-operator").Spec.Replicas
}

func TestReleaseLives(t *testing.T) {
	forEachHelm(t, func(t *testing.T, helm helm) {
		namespace := makeNamespace(t)
		before := everything(t)
		helm.install(t, "awslogin", namespace, previousVersion(t), "--set", "replicas=1")
		session := makeLoginSession(t)
		if knowsRoles(t) || replicas(t, namespace) != 1 {
			t.Fatal("this is not the previous version")
		}
		for _, step := range []struct {
			name       string
			arguments  []string
			knowsRoles bool
			replicas   int32
			everywhere bool // there is a right to the Secrets of all namespaces
		}{
			{"an upgrade to this version and other values",
				[]string{"upgrade", "awslogin", chart, "--set", "replicas=3,injection.enabled=true,watchNamespaces={" + namespace + "}"}, true, 3, false},
			{"a rollback", []string{"rollback", "awslogin", "1"}, false, 1, true},
			{"an upgrade that keeps the values", []string{"upgrade", "awslogin", chart, "--reset-then-reuse-values"}, true, 1, true},
		} {
			helm.run(t, append(step.arguments, "--namespace", namespace)...)
			wantUntouched(t, session)
			if got := knowsRoles(t); got != step.knowsRoles {
				t.Errorf("after %s the CRD knows roles: %t", step.name, got)
			}
			if got := replicas(t, namespace); got != step.replicas {
				t.Errorf("after %s there are %d replicas", step.name, got)
			}
			if got := slices.Contains(everything(t), "ClusterRole /awslogin-manager-role"); got != step.everywhere {
				t.Errorf("after %s there is a right to all Secrets: %t", step.name, got)
			}
		}
		helm.run(t, "uninstall", "awslogin", "--namespace", namespace)
		wantUntouched(t, session)
		wantLeft(t, before, session.Namespace)
	})
}

// wantLeft wants no more than there was before, but for the CRD with what comes with
// it, and a namespace with a LoginSession.
func wantLeft(t *testing.T, before []string, sessionsNamespace string) {
	t.Helper()
	want := []string{
		"APIService /v1alpha1.awslogin.dev", "CustomResourceDefinition /" + crdName,
		"LoginSession " + sessionsNamespace + "/dev", "Namespace /" + sessionsNamespace,
	}
	got := slices.DeleteFunc(everything(t), func(name string) bool { return slices.Contains(before, name) })
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("left are\n%s\nand should be\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCRDGoesWhereItShallNotBeKept(t *testing.T) {
	forEachHelm(t, func(t *testing.T, helm helm) {
		namespace := makeNamespace(t)
		notes := helm.install(t, "awslogin", namespace, chart, "--set", "crds.keep=false,injection.enabled=true")
		if !strings.Contains(notes, "WARNING: crds.keep is false") {
			t.Errorf("no warning in\n%s", notes)
		}
		helm.run(t, "uninstall", "awslogin", "--namespace", namespace, "--wait")
		if slices.Contains(everything(t), "CustomResourceDefinition /"+crdName) {
			t.Error("the CRD is there")
		}
	})
}

func TestHelm4GoesOnWithWhatHelm3Installed(t *testing.T) {
	withoutCRD(t)
	namespace := makeNamespace(t)
	helm("helm3").install(t, "awslogin", namespace, previousVersion(t))
	session := makeLoginSession(t)
	helm("helm").run(t, "upgrade", "awslogin", chart, "--namespace", namespace, "--set", "replicas=3")
	wantUntouched(t, session)
	if !knowsRoles(t) || replicas(t, namespace) != 3 {
		t.Error("it is not upgraded")
	}
}

// TestInstallationByOneWhoMayNotReadNamespaces: the notes advise on the namespace all the same.
func TestInstallationByOneWhoMayNotReadNamespaces(t *testing.T) {
	forEachHelm(t, func(t *testing.T, helm helm) {
		namespace := makeNamespace(t)
		kubectl(t, "create", "clusterrole", namespace, "--verb=*", "--resource=secrets,serviceaccounts,deployments.apps,"+
			"poddisruptionbudgets.policy,roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io")
		kubectl(t, "create", "rolebinding", "installer", "--namespace", namespace, "--clusterrole", namespace, "--user=installer")
		notes := helm.install(t, "awslogin", namespace, chart, "--kube-as-user=installer",
			"--set", "crds.enabled=false,rbac.aggregateRoles=false,watchNamespaces={"+namespace+"}")
		if want := "kubectl label namespace " + namespace + " pod-security.kubernetes.io/enforce=restricted"; !strings.Contains(notes, want) {
			t.Errorf("there is no %q in\n%s", want, notes)
		}
	})
}

package config_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	printer "sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
)

const (
	chartFolder = "../charts/aws-login-operator"
	// chartImage is the chart's by default, as long as it is not packaged.
	chartImage = "ghcr.io/awslogin-dev/aws-login-operator:unknown"
)

// helms are the programs whose users the chart is for: Helm 4 and Helm 3.
var helms = []string{"helm", "helm3"}

// helmTemplate renders the chart as on the newest Kubernetes that it has to know.
func helmTemplate(t *testing.T, helm, namespace string, arguments ...string) []byte {
	t.Helper()
	arguments = append([]string{"template", chartFolder, "--name-template", "awslogin", "--namespace", namespace, "--kube-version", "1.36.0"}, arguments...)
	manifest, complaints := run(t, nil, filepath.Join(controlplane.Root(), "bin", "tools", helm), arguments...)
	if complaints != "" {
		t.Errorf("%s template complains: %s", helm, complaints)
	}
	return manifest
}

// byName are the objects of a manifest, by kind, namespace and name.
func byName(t *testing.T, manifest []byte) map[string]*unstructured.Unstructured {
	t.Helper()
	found := map[string]*unstructured.Unstructured{}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) == 0 {
			continue
		}
		name := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		if found[name] != nil {
			t.Errorf("%s is there twice", name)
		}
		found[name] = object
	}
}

// TestChartIsTheKustomization compares them object by object, so that there is one
// installation, by two tools.
func TestChartIsTheKustomization(t *testing.T) {
	for _, variant := range []struct {
		name    string
		folders []string
		watched string // for kustomize, which has a variable there
		values  string
	}{
		{"for all namespaces", []string{"default"}, "", ""},
		{"for one namespace", []string{"namespaced"}, "awslogin-system", "watchNamespaces={awslogin-system}"},
		{"for one namespace and another", []string{"namespaced", overlay(t, "namespaced/access", "granted")}, "awslogin-system,granted", "watchNamespaces={awslogin-system,granted}"},
		{"with nudging", []string{"nudge"}, "", "nudgePods=true"},
		{"with injection", []string{"default", "injection"}, "", "injection.enabled=true"},
		{"with alerts", []string{"default", "prometheus"}, "", "podMonitor.enabled=true,prometheusRule.enabled=true"},
	} {
		for _, helm := range helms {
			t.Run(variant.name+" by "+helm, func(t *testing.T) {
				var manifest []byte
				for _, folder := range variant.folders {
					manifest = append(append(manifest, kustomize(t, folder)...), "\n---\n"...)
				}
				want := byName(t, asInstalled(manifest, variant.watched))
				delete(want, "Namespace /awslogin-system") // is for Helm's user to make
				compare(t, want, byName(t, helmTemplate(t, helm, "awslogin-system", "--set", variant.values)))
			})
		}
	}
}

// asInstalled does what `make install.yaml` and the comments in namespaced do: it puts
// the image in, and the namespaces in place of a variable for the operator's own.
func asInstalled(manifest []byte, watched string) []byte {
	return []byte(strings.NewReplacer(
		"controller:latest", chartImage,
		"$(POD_NAMESPACE)", watched,
		`        - name: POD_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
`, "",
	).Replace(string(manifest)))
}

func compare(t *testing.T, want, got map[string]*unstructured.Unstructured) {
	t.Helper()
	wanted, rendered := slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))
	if !slices.Equal(wanted, rendered) {
		t.Fatalf("the kustomization has\n%s\nand the chart\n%s", strings.Join(wanted, "\n"), strings.Join(rendered, "\n"))
	}
	for name := range want {
		withoutHelm(got[name])
		if theirs, ours := text(t, want[name]), text(t, got[name]); theirs != ours {
			t.Errorf("%s: the kustomization has\n%s\nand the chart\n%s", name, theirs, ours)
		}
	}
}

// text is an object as YAML, without blank lines: kustomize adds one to a folded text
// whose second line is indented.
func text(t *testing.T, object *unstructured.Unstructured) string {
	t.Helper()
	content, err := object.MarshalJSON()
	if err == nil {
		content, err = printer.JSONToYAML(bytes.ReplaceAll(content, []byte(`\n\n`), []byte(`\n`)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// withoutHelm takes out what only Helm's users need.
func withoutHelm(object *unstructured.Unstructured) {
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	for _, label := range []string{"app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"} {
		delete(labels, label)
	}
	object.SetLabels(labels)
	if annotations != nil {
		delete(annotations, "helm.sh/resource-policy")
		object.SetAnnotations(annotations)
	}
}

func TestChartHasTheDashboard(t *testing.T) {
	manifest := helmTemplate(t, "helm", "awslogin-system", "--set", "dashboard.enabled=true")
	rendered := byName(t, manifest)["ConfigMap awslogin-system/awslogin-dashboard"]
	if rendered == nil {
		t.Fatal("there is no ConfigMap")
	}
	content, _, err := unstructured.NestedString(rendered.Object, "data", "aws-login-operator.json")
	if err != nil || strings.TrimSpace(content) != strings.TrimSpace(read(t, "prometheus/dashboard.json")) {
		t.Errorf("error %v, and it is not the dashboard of config/prometheus:\n%.200s", err, content)
	}
	if rendered.GetLabels()["grafana_dashboard"] != "1" {
		t.Errorf("Grafana's sidecar does not find it by %v", rendered.GetLabels())
	}
}

// foreignKinds are the Prometheus Operator's. What is in their objects is tested in
// hack/alerts, by its own types.
const foreignKinds = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: podmonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: PodMonitor, listKind: PodMonitorList, plural: podmonitors, singular: podmonitor}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: prometheusrules.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: PrometheusRule, listKind: PrometheusRuleList, plural: prometheusrules, singular: prometheusrule}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// TestChartIsAdmitted has the API server judge what the chart makes of the values in
// its folder ci, and the operator its arguments.
func TestChartIsAdmitted(t *testing.T) {
	for _, namespace := range []string{"charted", "watched", "no", "123"} {
		if err := makeNamespace(namespace); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, []byte(foreignKinds))
	run(t, nil, environment.ControlPlane.KubectlPath, "--kubeconfig", kubeconfig(), "wait", "--for=condition=Established",
		"crd/podmonitors.monitoring.coreos.com", "crd/prometheusrules.monitoring.coreos.com")
	files, err := filepath.Glob(chartFolder + "/ci/*-values.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("only %d sets of values, error %v", len(files), err)
	}
	for _, values := range files {
		for _, helm := range helms {
			t.Run(filepath.Base(values)+" by "+helm, func(t *testing.T) {
				run(t, nil, filepath.Join(controlplane.Root(), "bin", "tools", helm), "lint", "--strict", chartFolder, "--values", values)
				manifest := helmTemplate(t, helm, "charted", "--values", values)
				apply(t, manifest, "--dry-run=server")
				admitPods(t, manifest, "charted")
				checkArguments(t, manifest)
			})
		}
	}
}

// TestChartForNamespacesGrantsNothingElsewhere is the one of config/namespaced, by Helm,
// with names too that YAML takes for something else.
func TestChartForNamespacesGrantsNothingElsewhere(t *testing.T) {
	for _, namespace := range []string{"tenant", "off", "456"} {
		if err := makeNamespace(namespace); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, helmTemplate(t, "helm", "tenant", "--set-string", "watchNamespaces={tenant,off,456}"))
	checkGrants(t, "tenant", "tenant", []grants{works, leads})
	checkGrants(t, "tenant", "off", []grants{works})
	checkGrants(t, "tenant", "456", []grants{works})
	checkGrants(t, "tenant", "examples", nil)
}

package config_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestPrometheusFindsTheOperator: the kinds are the Prometheus Operator's, which
// this API server does not know. hack/alerts tests what is in them.
func TestPrometheusFindsTheOperator(t *testing.T) {
	kinds := map[string]*unstructured.Unstructured{}
	for _, object := range byName(t, kustomize(t, "prometheus")) {
		if object.GetNamespace() != "awslogin-system" {
			t.Errorf("%s is in namespace %q", object.GetKind(), object.GetNamespace())
		}
		kinds[object.GetKind()] = object
	}
	if kinds["PodMonitor"] == nil || kinds["PrometheusRule"] == nil {
		t.Fatalf("there are %v", kinds)
	}
	pods := deployments(t, kustomize(t, "default"))[0].Spec.Template
	selected, _, err := unstructured.NestedStringMap(kinds["PodMonitor"].Object, "spec", "selector", "matchLabels")
	if err != nil || len(selected) == 0 {
		t.Fatalf("selects %v, error %v", selected, err)
	}
	for label, value := range selected {
		if pods.Labels[label] != value {
			t.Errorf("the operator's pods have %s=%q, and not %q", label, pods.Labels[label], value)
		}
	}
	endpoints, _, err := unstructured.NestedSlice(kinds["PodMonitor"].Object, "spec", "podMetricsEndpoints")
	if err != nil || len(endpoints) != 1 {
		t.Fatalf("scrapes %v, error %v", endpoints, err)
	}
	port := endpoints[0].(map[string]any)["port"]
	if !slices.ContainsFunc(pods.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool { return p.Name == port }) {
		t.Errorf("the operator has no port %v", port)
	}
}

package controllers

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// observed is how many lives left there were, and their sum in seconds.
func observed(t *testing.T) (count uint64, sum float64) {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "awslogin_published_remaining_seconds" {
			histogram := family.GetMetric()[0].GetHistogram()
			return histogram.GetSampleCount(), histogram.GetSampleSum()
		}
	}
	t.Fatal("the metric is not registered")
	return 0, 0
}

func TestMetricsAreNamedAsPrometheusWantsIt(t *testing.T) {
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for i, family := range slices.Backward(families) {
		if !strings.HasPrefix(family.GetName(), "awslogin_") {
			families = slices.Delete(families, i, i+1)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 || len(families) == 0 {
		t.Errorf("%d metrics have problems %v, error %v", len(families), problems, err)
	}
}

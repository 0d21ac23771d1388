package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// remaining tells how well the promise of five minutes is kept, and how much of
// them is left for the kubelets.
var remaining = prometheus.NewHistogram(prometheus.HistogramOpts{
	Name:    "awslogin_published_remaining_seconds",
	Help:    "The life that the credentials in a target Secret had left when new ones were published; 0 where they had expired.",
	Buckets: []float64{0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 900, 1200},
})

func init() { metrics.Registry.MustRegister(remaining) }

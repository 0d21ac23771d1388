package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/discovery"
)

// apiServer is what the API server says of itself.
type apiServer struct {
	requests requests
	cpu      float64 // seconds since it started
}

// requests are how many there were of each kind, as "PUT secrets".
type requests map[string]float64

// counted are the resources that the operator uses. Leases are the API server's own too,
// and without leader election the operator has none.
var counted = map[string]bool{"secrets": true, "loginsessions": true, "events": true, "selfsubjectaccessreviews": true}

func (s *stage) askAPIServer(ctx context.Context) (apiServer, error) {
	discovered, err := discovery.NewDiscoveryClientForConfig(s.admin)
	if err != nil {
		return apiServer{}, err
	}
	text, err := discovered.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return apiServer{}, fmt.Errorf("read the API server's metrics: %w", err)
	}
	return parseMetrics(bytes.NewReader(text))
}

func parseMetrics(text io.Reader) (apiServer, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return apiServer{}, fmt.Errorf("read the API server's metrics: %w", err)
	}
	state := apiServer{requests: requests{}}
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		labels := labelsOf(metric)
		if !counted[labels["resource"]] {
			continue
		}
		kind := labels["verb"] + " " + labels["resource"]
		if labels["subresource"] != "" {
			kind += "/" + labels["subresource"]
		}
		state.requests[kind] += metric.GetCounter().GetValue()
	}
	for _, metric := range families["process_cpu_seconds_total"].GetMetric() {
		state.cpu += metric.GetCounter().GetValue()
	}
	return state, nil
}

func labelsOf(metric *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, pair := range metric.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	return labels
}

// since are the requests after an earlier count; kinds without any are left out.
func (r requests) since(before requests) requests {
	more := requests{}
	for kind, count := range r {
		if count > before[kind] {
			more[kind] = count - before[kind]
		}
	}
	return more
}

// per divides each count.
func (r requests) per(divisor int) requests {
	shares := requests{}
	for kind, count := range r {
		shares[kind] = count / float64(divisor)
	}
	return shares
}

func (r requests) total() (sum float64) {
	for _, count := range r {
		sum += count
	}
	return sum
}

// writes are those that change something.
func (r requests) writes() (sum float64) {
	for _, kind := range []string{"POST secrets", "PUT secrets", "PATCH secrets", "DELETE secrets",
		"PUT loginsessions", "PATCH loginsessions", "PATCH loginsessions/status", "PUT loginsessions/status",
		"POST events", "PATCH events"} {
		sum += r[kind]
	}
	return sum
}

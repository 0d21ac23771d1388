// Package alerts tests the alerts and the dashboard in config/prometheus with
// Prometheus' own rules engine.
package alerts

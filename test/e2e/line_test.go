package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"awslogin.dev/operator/internal/faultproxy"
)

// line is one operator's way to the API server and to AWS, with a proxy in front
// of each.
type line struct {
	faultproxy.Line
	environment []string // of the operator
}

// newLine lays a line. All that comes over it does so as the operator's user.
func (s *stage) newLine() *line {
	s.Helper()
	l := &line{}
	kubernetes, err := faultproxy.NewKubernetes(operator)
	s.must(err)
	aws := faultproxy.New(s.aws)
	for _, proxy := range []*faultproxy.Proxy{kubernetes, aws} {
		l.Lay(proxy)
	}
	config := filepath.Join(s.TempDir(), "kubeconfig")
	s.must(os.WriteFile(config, fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: line,
contexts: [{name: line, context: {cluster: line, user: ""}}], clusters: [{name: line, cluster: {server: %q}}]}`, s.serve(kubernetes)), 0o600))
	url := s.serve(aws)
	l.environment = []string{"KUBECONFIG=" + config, "AWS_ENDPOINT_URL_SIGNIN=" + url, "AWS_ENDPOINT_URL_STS=" + url}
	return l
}

func (s *stage) serve(handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	s.Cleanup(server.CloseClientConnections)
	return server.URL
}

// saw is how often a step came.
func (l *line) saw(step string) (times int) {
	for _, seen := range l.Steps() {
		if seen == step {
			times++
		}
	}
	return times
}

// rotation is what was seen of the reconcile that refreshed, but for what the
// caches, the events and the lease ask.
func (l *line) rotation() []string {
	steps := slices.DeleteFunc(l.Steps(), func(step string) bool {
		return !ofARotation.MatchString(step)
	})
	refresh := slices.Index(steps, "POST v1/token")
	begin := refresh
	for begin > 0 && steps[begin] != "GET secrets/dev" {
		begin--
	}
	end := refresh + slices.Index(steps[max(0, refresh):], "PATCH loginsessions/dev/status")
	return steps[max(0, begin) : end+1]
}

var ofARotation = regexp.MustCompile("^(GET|PUT) secrets/|^POST (selfsubjectaccessreviews|v1/token|)$|^(GET|PATCH) loginsessions/")

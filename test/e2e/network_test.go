package e2e

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// proxyTo is an HTTP proxy that tunnels every CONNECT to one address.
func proxyTo(t *testing.T, address string) (url string, tunnels *atomic.Int64) {
	t.Helper()
	tunnels = &atomic.Int64{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != "example.com:443" {
			http.Error(w, "only CONNECT example.com:443", http.StatusForbidden)
			return
		}
		tunnels.Add(1)
		upstream, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, "no upstream", http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			_ = upstream.Close()
			return
		}
		go func() { _, _ = io.Copy(upstream, client); _ = upstream.Close() }()
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL, tunnels
}

func TestProxyAndCABundleAreUsedAndTheGlobalEndpointIsNot(t *testing.T) {
	s := newStage(t)
	// httptest's certificate is for example.com, signed by itself.
	secure := httptest.NewTLSServer(s.aws)
	t.Cleanup(secure.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	s.must(os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600))
	proxy, tunnels := proxyTo(t, secure.Listener.Addr().String())
	trapped := atomic.Int64{}
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { trapped.Add(1) }))
	t.Cleanup(trap.Close)

	s.start(nil, "AWS_ENDPOINT_URL="+trap.URL, "HTTPS_PROXY="+proxy, "AWS_CA_BUNDLE="+bundle,
		"AWS_ENDPOINT_URL_SIGNIN=https://example.com", "AWS_ENDPOINT_URL_STS=https://example.com",
		"AWS_ACCESS_KEY_ID=AKIAAMBIENT", "AWS_SECRET_ACCESS_KEY=ambient", "AWS_PROFILE=ambient", "AWS_REGION=eu-west-1")
	s.signIn()
	s.applySession("dev")
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	s.awaitRotations(2)
	if tunnels.Load() == 0 {
		t.Error("the proxy was not used")
	}
	if trapped.Load() > 0 {
		t.Error("AWS_ENDPOINT_URL received a request")
	}
	if calls := s.aws.Stats().STSCalls; calls == 0 {
		t.Error("STS was not asked")
	}
}

func TestUnknownCAIsReportedAndNothingIsSent(t *testing.T) {
	s := newStage(t)
	secure := httptest.NewTLSServer(s.aws)
	t.Cleanup(secure.Close)
	s.start(nil, "AWS_ENDPOINT_URL_SIGNIN="+secure.URL)
	s.signIn()
	s.applySession("dev")
	s.await("the failure is reported", func() bool {
		refresh := s.get("dev").Status.Refresh
		return refresh != nil && refresh.Failures > 0
	})
	if requests := s.aws.Stats().Requests; requests > 0 {
		t.Errorf("%d requests were sent", requests)
	}
}

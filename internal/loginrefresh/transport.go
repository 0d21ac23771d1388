package loginrefresh

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// maxReply bounds what is read of a reply; a good one is below 10 KiB.
const maxReply = 64 << 10

// NewHTTPClient returns the client for every request that carries a token or
// credentials: proxied as HTTPS_PROXY says, TLS 1.2 or newer, trusting roots
// (nil for the system's), never following a redirect, and never reading more
// than 64 KiB of a reply. It speaks HTTP/1.1, where a connection that has gone
// silent fails one request; an HTTP/2 one would be used again for all that follow.
func NewHTTPClient(roots *x509.CertPool) *http.Client {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: refusedByProxy,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  DefaultTimeout,
		MaxResponseHeaderBytes: maxReply,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        30 * time.Second,
	}
	return &http.Client{
		Transport: boundedReplies{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// ReadRoots reads the file of AWS_CA_BUNDLE, which replaces the system's roots as
// it does in the AWS SDKs. Nil, where there is none, means the system's.
func ReadRoots(bundle string) (*x509.CertPool, error) {
	if bundle == "" {
		return nil, nil
	}
	content, err := os.ReadFile(bundle)
	if err != nil {
		return nil, fmt.Errorf("read AWS_CA_BUNDLE: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("read AWS_CA_BUNDLE: %s has no PEM certificate", bundle)
	}
	return roots, nil
}

// refusedByProxy says what net/http would say in the proxy's own words.
func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, reply *http.Response) error {
	if reply.StatusCode == http.StatusOK {
		return nil
	}
	return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: fmt.Errorf("the proxy answered HTTP %d", reply.StatusCode)}
}

// boundedReplies fails the read of a body that is longer than maxReply.
type boundedReplies struct{ next http.RoundTripper }

func (b boundedReplies) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	response.Body = &boundedBody{ReadCloser: response.Body, left: maxReply + 1}
	return response, nil
}

var errReplyTooLarge = errors.New("the reply is larger than 64 KiB")

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(buffer []byte) (int, error) {
	n, err := b.ReadCloser.Read(buffer[:min(len(buffer), b.left)])
	if b.left -= n; b.left <= 0 {
		return 0, errReplyTooLarge
	}
	return n, err
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

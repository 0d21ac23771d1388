package loginrefresh

import (
	"bufio"
	"compress/gzip"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

func TestARedirectIsNotFollowed(t *testing.T) {
	var called atomic.Bool
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
	defer target.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := newSignIn(t)
		s.aws.Inject(with(fakeaws.Fault{Status: status, Body: []byte(canary)}, "Location", target.URL+"/v1/token"))
		if err := s.fail(t); err.Outcome != Retryable || err.Status != status || len(s.requests()) != 1 {
			t.Errorf("%d: outcome %s, status %d, %d requests", status, err.Outcome, err.Status, len(s.requests()))
		}
	}
	if called.Load() {
		t.Error("the refresh token was sent where a redirect said")
	}
}

func TestFailuresOfTheNetworkSayWhatFailed(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := quiet(httptest.NewTLSServer(fakeaws.New(fakeaws.Options{})))
	defer untrusted.Close()
	for name, c := range map[string]struct{ endpoint, want string }{
		"nobody listens":                         {closed.URL, "connection refused"},
		"the name is unknown":                    {"http://signin.invalid", "lookup signin.invalid"},
		"the certificate is of an unknown CA":    {untrusted.URL, "certificate signed by unknown authority"},
		"the server does not speak TLS":          {"https://" + speaking(t, "HTTP/1.1 200 OK\r\n\r\n"), "no reply came that could be read"},
		"the connection is reset":                {"http://" + speaking(t, ""), "connection"},
		"the reply is no HTTP":                   {"http://" + speaking(t, "CANARY\r\n\r\n"), "no reply came that could be read"},
		"the reply's status is none":             {"http://" + speaking(t, "HTTP/1.1 CANARY\r\n\r\n"), "no reply came that could be read"},
		"the reply has a header that is none":    {"http://" + speaking(t, "HTTP/1.1 200 OK\r\nCANARY\r\n\r\n"), "no reply came that could be read"},
		"the reply's headers have no end":        {"http://" + speaking(t, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: CANARY\r\n", 20_000)), "no reply came that could be read"},
		"the server sends back what it was sent": {"http://" + echoing(t), "no reply came that could be read"},
	} {
		t.Run(name, func(t *testing.T) {
			client := &Client{HTTP: NewHTTPClient(nil), Endpoint: Endpoint{URL: c.endpoint}, Now: noonNow, Timeout: 3 * time.Second}
			err := failed(t, client, parsed(t, cacheWith(nil)))
			if err.Outcome != Retryable || err.Status != 0 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("outcome %s, status %d, %q; want a text with %q", err.Outcome, err.Status, err, c.want)
			}
		})
	}
}

// quiet keeps the handshakes that are meant to fail out of the tests' output.
func quiet(server *httptest.Server) *httptest.Server {
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	return server
}

// speaking is the address of a server that answers every request with the text,
// and resets the connection where there is none.
func speaking(t *testing.T, reply string) string {
	return listening(t, func(connection *net.TCPConn) {
		if request, err := http.ReadRequest(bufio.NewReader(connection)); err == nil {
			_, _ = io.Copy(io.Discard, request.Body)
		}
		if reply == "" {
			_ = connection.SetLinger(0)
		}
		_, _ = io.WriteString(connection, reply)
	})
}

// echoing is the address of a server that sends requests back, body first.
func echoing(t *testing.T) string {
	return listening(t, func(connection *net.TCPConn) {
		request, err := http.ReadRequest(bufio.NewReader(connection))
		if err == nil {
			_, _ = io.Copy(connection, request.Body)
			_, _ = io.WriteString(connection, "\r\n\r\n")
		}
	})
}

func listening(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			serve(connection.(*net.TCPConn))
			_ = connection.Close()
		}
	}()
	return listener.Addr().String()
}

func TestAConnectionThatIsClosedWithoutAnAnswerIsAFailure(t *testing.T) {
	s := newSignIn(t)
	s.aws.Inject(fakeaws.LostRequest())
	if err := s.fail(t); err.Outcome != Retryable || err.Status != 0 || !strings.Contains(err.Error(), "closed before the reply") {
		t.Errorf("outcome %s, status %d: %v", err.Outcome, err.Status, err)
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("%d requests for one refresh", n)
	}
	s.aws.Inject(fakeaws.LostReply())
	_ = s.fail(t)
	s.refresh(t) // AWS answers a spent token again
}

func TestARefreshThatTakesTooLongIsGivenUp(t *testing.T) {
	s := newSignIn(t)
	s.client.Timeout = 50 * time.Millisecond
	s.aws.Inject(fakeaws.Hang(10 * time.Second))
	started := time.Now()
	err := s.fail(t)
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("given up after %s", took)
	}
	if err.Outcome != Retryable || err.Error() != "no answer in time" {
		t.Errorf("outcome %s: %v", err.Outcome, err)
	}
}

func TestABodyThatDripsIsGivenUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client went away
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	}))
	defer server.Close()
	client := &Client{HTTP: NewHTTPClient(nil), Endpoint: Endpoint{URL: server.URL}, Now: noonNow, Timeout: 50 * time.Millisecond}
	started := time.Now()
	if err := failed(t, client, parsed(t, cacheWith(nil))); err.Outcome != Retryable || time.Since(started) > 2*time.Second {
		t.Errorf("outcome %s after %s", err.Outcome, time.Since(started))
	}
}

// countingBody counts what is read of an endless reply.
type countingBody struct{ read *int }

func (b countingBody) Read(p []byte) (int, error) { *b.read += len(p); return len(p), nil }
func (b countingBody) Close() error               { return nil }

// replying is a server that answers with a body.
type replying struct{ body io.ReadCloser }

func (r replying) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{Body: r.body}, nil
}

func TestRepliesAreReadUpTo64KiB(t *testing.T) {
	endless := 0
	for name, c := range map[string]struct {
		body io.ReadCloser
		want bool
	}{
		"nothing":          {io.NopCloser(strings.NewReader("")), true},
		"64 KiB":           {io.NopCloser(strings.NewReader(strings.Repeat("a", 64<<10))), true},
		"one byte more":    {io.NopCloser(strings.NewReader(strings.Repeat("a", 64<<10+1))), false},
		"an endless reply": {countingBody{&endless}, false},
	} {
		response, err := boundedReplies{replying{c.body}}.RoundTrip(nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(response.Body)
		if (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if endless > 64<<10+1 {
		t.Errorf("%d bytes of an endless reply were read", endless)
	}
}

func TestACompressedReplyCannotGrowBeyondTheBound(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 1<<20))
		_ = z.Close()
	}))
	defer server.Close()
	response, err := NewHTTPClient(nil).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); !errors.Is(err, errReplyTooLarge) || len(body) > 64<<10+1 {
		t.Errorf("read %d bytes: %v", len(body), err)
	}
}

func TestCustomRootsAreTrusted(t *testing.T) {
	aws := fakeaws.New(fakeaws.Options{Now: noonNow})
	server := httptest.NewTLSServer(aws)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := &Client{HTTP: NewHTTPClient(roots), Endpoint: Endpoint{URL: server.URL}, Now: noonNow}
	if _, err := client.Refresh(t.Context(), parsed(t, aws.Login(admin).Cache()), "us-east-1"); err != nil {
		t.Error(err)
	}
}

// net/http reads the proxy variables once a process, and never uses a proxy for
// a loopback address: this test runs itself again, with a proxy for AWS's host.
func TestTheProxyOfTheEnvironmentIsUsed(t *testing.T) {
	if os.Getenv("BEHIND_A_PROXY") != "" {
		client := &Client{HTTP: NewHTTPClient(nil), Now: noonNow}
		fmt.Println("REPORTED", failed(t, client, parsed(t, cacheWith(nil))))
		return
	}
	for reply, want := range map[string]string{
		"407 CANARY": "REPORTED proxyconnect tcp: the proxy answered HTTP 407",
		"200 OK":     "REPORTED the connection was closed before the reply",
	} {
		asked := make(chan string, 1)
		proxy := listening(t, func(connection *net.TCPConn) {
			request, err := http.ReadRequest(bufio.NewReader(connection))
			if err != nil {
				return
			}
			asked <- request.Method + " " + request.Host
			_, _ = fmt.Fprintf(connection, "HTTP/1.1 %s\r\n\r\n", reply)
			_, _ = connection.Read(make([]byte, 16<<10)) // the beginning of TLS inside the tunnel
		})
		command := exec.Command(os.Args[0], "-test.run=^TestTheProxyOfTheEnvironmentIsUsed$")
		command.Env = append(os.Environ(), "BEHIND_A_PROXY=yes", "NO_PROXY=", "no_proxy=",
			"HTTPS_PROXY="+(&url.URL{Scheme: "http", User: url.UserPassword("me", canary), Host: proxy}).String())
		output, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(output), want) {
			t.Errorf("%v; want %q in:\n%s", err, want, output)
		}
		select {
		case got := <-asked:
			if got != "CONNECT us-east-1.signin.aws.amazon.com:443" {
				t.Errorf("the proxy was asked to %s", got)
			}
		default:
			t.Error("the proxy was not asked")
		}
	}
}

func TestCheckEndpoint(t *testing.T) {
	for endpoint, want := range map[string]struct{ refused, allowed bool }{
		"https://signin.example":          {true, true},
		"https://signin.example:8443/pre": {true, true},
		"http://127.0.0.1:8080":           {true, true},
		"http://[::1]:8080":               {true, true},
		"http://localhost":                {true, true},
		"http://signin.example":           {false, true},
		"http://127.0.0.1.evil.example":   {false, true},
		"http://localhost.evil.example":   {false, true},
		"http://me@localhost":             {false, false},
		"https://me:pw@signin.example":    {false, false},
		"https://signin.example?a=b":      {false, false},
		"https://signin.example#a":        {false, false},
		"https:signin.example":            {false, false},
		"https://":                        {false, false},
		"ftp://signin.example":            {false, false},
		"signin.example":                  {false, false},
		"signin.example:443":              {false, false},
		"":                                {false, false},
		"https://a b":                     {false, false},
	} {
		if got := CheckEndpoint(endpoint, false) == nil; got != want.refused {
			t.Errorf("CheckEndpoint of %q without plain HTTP: %t", endpoint, got)
		}
		if got := CheckEndpoint(endpoint, true) == nil; got != want.allowed {
			t.Errorf("CheckEndpoint of %q with plain HTTP: %t", endpoint, got)
		}
	}
}

func TestCABundle(t *testing.T) {
	if roots, err := ReadRoots(""); roots != nil || err != nil {
		t.Errorf("without a bundle: %v, %v", roots, err)
	}
	for name, path := range map[string]string{"missing": "testdata/none.pem", "without a certificate": "transport_test.go"} {
		if _, err := ReadRoots(path); err == nil || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

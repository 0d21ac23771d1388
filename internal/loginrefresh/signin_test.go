package loginrefresh

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

// clock is a wall clock that tests set.
type clock struct{ offset atomic.Int64 }

func (c *clock) Now() time.Time          { return noon.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// received is one request as AWS Sign-In got it.
type received struct {
	url    string
	header http.Header
	body   string
}

// signIn is a login session at a fake AWS Sign-In, and a client of it.
type signIn struct {
	aws      *fakeaws.Server
	awsClock *clock
	clock    *clock // the client's
	login    *Login
	client   *Client
	server   *httptest.Server

	mu       sync.Mutex
	received []received
}

func newSignIn(t *testing.T) *signIn {
	t.Helper()
	s := &signIn{awsClock: &clock{}, clock: &clock{}}
	s.aws = fakeaws.New(fakeaws.Options{Now: s.awsClock.Now})
	s.login = parsed(t, s.aws.Login(admin).Cache())
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	s.client = &Client{HTTP: NewHTTPClient(nil), Endpoint: Endpoint{URL: s.server.URL}, Now: s.clock.Now}
	return s
}

// ServeHTTP writes down what arrives.
func (s *signIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.received = append(s.received, received{"http://" + r.Host + r.URL.String(), r.Header.Clone(), string(body)})
	s.mu.Unlock()
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	s.aws.ServeHTTP(w, r)
}

func (s *signIn) requests() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

func (s *signIn) proofs(t *testing.T) (proofs []openedProof) {
	t.Helper()
	for _, r := range s.requests() {
		proofs = append(proofs, open(t, r.header.Get("DPoP")))
	}
	return proofs
}

// refresh succeeds, and applies the rotation to the login.
func (s *signIn) refresh(t *testing.T) Rotation {
	t.Helper()
	rotation, err := s.client.Refresh(t.Context(), s.login, "us-east-1")
	if err != nil {
		t.Fatalf("%v; refused because %s", err, s.aws.Stats().LastRefusal)
	}
	s.login = rotated(t, s.login, rotation)
	return rotation
}

// fail refreshes without success.
func (s *signIn) fail(t *testing.T) *ServiceError {
	t.Helper()
	return failed(t, s.client, s.login)
}

func failed(t *testing.T, client *Client, login *Login) *ServiceError {
	t.Helper()
	rotation, err := client.Refresh(t.Context(), login, "us-east-1")
	var problem *ServiceError
	if !errors.As(err, &problem) {
		t.Fatalf("Refresh = %v, %v; want a *ServiceError", rotation, err)
	}
	if rotation != (Rotation{}) {
		t.Error("a failure came with credentials")
	}
	if problem.Error() == "" {
		t.Error("the error says nothing")
	}
	for _, secret := range []string{
		canary, login.refreshToken, login.Credentials.SecretAccessKey, login.Credentials.SessionToken, login.clientID,
	} {
		if strings.Contains(problem.Error(), secret) {
			t.Errorf("the error reveals a secret or quotes the reply: %v", problem)
		}
	}
	return problem
}

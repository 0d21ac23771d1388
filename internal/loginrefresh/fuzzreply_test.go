package loginrefresh

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"
)

// cannedReply answers every request with one reply, and counts them.
type cannedReply struct {
	status int
	header http.Header
	body   []byte
	asked  int
}

func (c *cannedReply) RoundTrip(request *http.Request) (*http.Response, error) {
	if c.asked++; c.asked > 1 {
		return nil, errors.New("asked again")
	}
	return &http.Response{
		StatusCode: c.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
		Header: c.header, Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: -1,
	}, nil
}

// FuzzReply looks for a reply of AWS Sign-In that panics, whose error shows a
// part of it, that ends a session without AWS saying so, or that gives
// credentials which cannot be kept.
func FuzzReply(f *testing.F) {
	const clientError, serverError = "AccessDeniedException", "InternalServerException"
	f.Add(200, "", "", "", "application/json", reply(nil).Body, uint16(900), uint16(0))
	f.Add(200, "", "", "", "", reply(fields{"expiresIn": "1"}).Body, uint16(1), uint16(1))
	f.Add(200, "", "", "", "", reply(fields{"expiresIn": "1e9", "refreshToken": `"\""`}).Body, uint16(12), uint16(1))
	f.Add(400, "", "", "ValidationException", "", answer(0, "", "INVALID_REQUEST").Body, uint16(900), uint16(8))
	f.Add(401, "", "Sun, 22 Nov 2026 12:00:00 GMT", clientError, "", answer(0, "", "TOKEN_EXPIRED").Body, uint16(900), uint16(1))
	f.Add(403, "", "", clientError, "", answer(0, "", "INSUFFICIENT_PERMISSIONS").Body, uint16(900), uint16(1))
	f.Add(500, "", "", serverError, "", answer(0, "", "server_error").Body, uint16(900), uint16(60))
	f.Fuzz(func(t *testing.T, status int, retryAfter, date, kind, contentType string, body []byte, lifetime, count uint16) {
		canned := &cannedReply{status: status, body: body, header: http.Header{
			"Retry-After": {retryAfter}, "Date": {date}, "X-Amzn-Errortype": {kind}, "Content-Type": {contentType},
			"X-Amzn-Requestid": {"the-id"}, "Location": {"https://elsewhere.example/"},
		}}
		client := &Client{HTTP: NewHTTPClient(nil), Now: func() time.Time { return lastNano }}
		client.HTTP.Transport = boundedReplies{canned}
		login := parsed(t, cacheWith(nil))
		rotation, err := client.Refresh(t.Context(), login, "us-east-1")
		if err == nil {
			checkKeepable(t, login, rotation)
		} else {
			checkFailure(t, canned, err, time.Duration(max(lifetime, 1))*time.Second, int(count))
		}
		if canned.asked != 1 {
			t.Errorf("%d requests for one refresh", canned.asked)
		}
	})
}

// lastNano is when rounding down takes the most.
var lastNano = noon.Add(time.Second - 1)

// checkKeepable says that a rotation can be stored and used.
func checkKeepable(t *testing.T, login *Login, r Rotation) {
	t.Helper()
	if err := r.validate(); err != nil {
		t.Errorf("it does not validate: %v", err)
	}
	if !r.ExpiresAt.After(lastNano) || r.ExpiresAt.After(lastNano.Add(MaxLifetime)) || r.Lifetime > MaxLifetime {
		t.Errorf("lives %s until %s", r.Lifetime, r.ExpiresAt)
	}
	after := rotated(t, login, r)
	checkRotated(t, login, r, parsed(t, after.Bytes()))
	checkWritable(t, after)
}

// said is all that an error may say. Nothing in it is the reply's own words, but
// a code of the closed list and the request's id.
var said = regexp.MustCompile(`^AWS Sign-In answered HTTP -?\d+` +
	`(, (TOKEN_EXPIRED|USER_CREDENTIALS_CHANGED|INSUFFICIENT_PERMISSIONS))?` +
	`(, (the reply (could not be read|has no positive expiresIn|has a value that is longer than 8 KiB|` +
	`lacks a credential)|this machine's clock is [0-9.hms]+ from AWS's))?` +
	`(, request the-id)?$|^no reply came that could be read$|^the connection was closed before the reply$`)

// codes are the closed list of what ends a session or needs an administrator.
var codes = map[Outcome][]string{
	SessionOver: {"TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED"},
	Denied:      {"INSUFFICIENT_PERMISSIONS"},
	ClockSkew:   {"TOKEN_EXPIRED"},
	Rejected:    {""},
	Retryable:   {""},
}

// checkFailure says that an error is one of the known kind, for one of the known
// reasons, and that the next attempt is neither too soon nor too late.
func checkFailure(t *testing.T, canned *cannedReply, err error, lifetime time.Duration, count int) {
	t.Helper()
	var failed *ServiceError
	if !errors.As(err, &failed) {
		t.Fatalf("%T: %v", err, err)
	}
	if !said.MatchString(failed.Error()) {
		t.Errorf("it says %q", failed)
	}
	if !slices.Contains(codes[failed.Outcome], failed.Code) || failed.Status != canned.status || failed.RetryAfter < 0 {
		t.Errorf("outcome %q, code %q, status %d, Retry-After %s", failed.Outcome, failed.Code, failed.Status, failed.RetryAfter)
	}
	if isServers := canned.status == 429 || canned.status >= 500; isServers && failed.Outcome != Retryable {
		t.Errorf("a %d means %s", canned.status, failed.Outcome)
	}
	if failed.Outcome == SessionOver && canned.header.Get("X-Amzn-Errortype") == "" && !bytes.Contains(canned.body, []byte("AccessDeniedException")) {
		t.Error("the session is over, though AWS did not deny access")
	}
	if failed.Outcome == SessionOver && failed.Skew.Abs() > maxSkew {
		t.Errorf("the session is over, though the clock is off by %s", failed.Skew)
	}
	checkRetry(t, failed, lifetime, count)
}

func checkRetry(t *testing.T, failed *ServiceError, lifetime time.Duration, count int) {
	t.Helper()
	s := schedule(lifetime, 10*time.Minute)
	failure := (&Failure{Count: count}).Then(failed, noon)
	at := s.RetryAt(*failure)
	if failed.Outcome == SessionOver {
		if !at.IsZero() {
			t.Errorf("a session that is over is tried again at %s", at)
		}
		return
	}
	longest := max(Floor, lifetime/5) * 12 / 10
	if failed.Outcome == Denied {
		longest = SlowPoll
	}
	if wait := at.Sub(noon); wait < Floor || wait > longest {
		t.Errorf("waits %s, want %s to %s", wait, Floor, longest)
	}
}

package controllers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
	"awslogin.dev/operator/internal/loginrefresh"
)

// sameAgain is an answer with the credentials that the login cache has already.
func sameAgain(w *world) []byte {
	login := w.stored("login")
	var cache map[string]any
	w.must(json.Unmarshal(login.Bytes(), &cache))
	left := 1 + int(login.Credentials.ExpiresAt.Sub(w.clock.Now()).Seconds())
	body, err := json.Marshal(map[string]any{
		"accessToken": cache["accessToken"], "tokenType": "aws_sigv4", "refreshToken": cache["refreshToken"], "expiresIn": left,
	})
	w.must(err)
	return body
}

// lostOnce: AWS rotated the refresh token and the operator did not see with what.
// That AWS answers the spent one again is all that helps then.
const lostOnce = 1

func TestAWSFailsAndOldCredentialsServeMeanwhile(t *testing.T) {
	inject := func(faults ...fakeaws.Fault) func(*world) { return func(w *world) { w.aws.Inject(faults...) } }
	// late holds a request or its reply back for longer than the operator waits.
	const patience = time.Second
	late := func(w *world, fault func(wait func()) faultproxy.Fault) {
		w.operator.SignIn.Timeout = patience
		w.onTheWay.Judge(faultproxy.Once("POST v1/token", fault(func() { time.Sleep(patience + patience/2) })))
	}
	elsewhere := func(endpoint string) func(*world) {
		return func(w *world) {
			good := w.operator.SignIn
			w.operator.SignIn = &loginrefresh.Client{HTTP: loginrefresh.NewHTTPClient(nil), Endpoint: loginrefresh.Endpoint{URL: endpoint}, Now: w.clock.Now}
			w.mend = func() { w.operator.SignIn = good }
		}
	}
	rejected, cut := fakeaws.Rejected(), fakeaws.Garbled([]byte(`{"accessToken":{"accessKeyId":"ASIA`))
	cut.Header = http.Header{"Content-Length": {"5000"}}
	for name, row := range map[string]struct {
		happens func(*world)
		reason  string
		lost    int // rotations
	}{
		"500 three times":       {inject(repeat(fakeaws.ServerError(), 3)...), "RefreshFailing", 0},
		"503":                   {inject(fakeaws.Fault{Status: 503, Type: "ServiceUnavailableException", Code: "service_unavailable"}), "RefreshFailing", 0},
		"429":                   {inject(fakeaws.Throttled(0)), "RefreshFailing", 0},
		"429, Retry-After 30 s": {inject(fakeaws.Throttled(30 * time.Second)), "RefreshFailing", 0},
		"one 400 in the middle of a healthy session": {inject(rejected), "RefreshRejected", 0},
		"a hang": {func(w *world) {
			late(w, func(wait func()) faultproxy.Fault { return faultproxy.Fault{Before: wait, Refuse: true} })
		}, "RefreshFailing", 0},
		"a reply after the deadline": {func(w *world) {
			late(w, func(wait func()) faultproxy.Fault { return faultproxy.Fault{After: wait} })
		}, "RefreshFailing", lostOnce},
		"a connection closed unanswered":   {inject(fakeaws.LostRequest()), "RefreshFailing", 0},
		"a reply that is lost":             {inject(fakeaws.LostReply()), "RefreshFailing", lostOnce},
		"a reply cut short":                {inject(cut), "RefreshFailing", lostOnce},
		"an empty reply":                   {inject(fakeaws.Garbled([]byte{})), "RefreshFailing", lostOnce},
		"a reply that is no JSON":          {inject(fakeaws.Garbled([]byte("<html>"))), "RefreshFailing", lostOnce},
		"a reply that is a list":           {inject(fakeaws.Garbled([]byte("[]"))), "RefreshFailing", lostOnce},
		"a reply that is null":             {inject(fakeaws.Garbled([]byte("null"))), "RefreshFailing", lostOnce},
		"a reply of wrong types":           {inject(fakeaws.Garbled([]byte(`{"accessToken":"x","expiresIn":"y"}`))), "RefreshFailing", lostOnce},
		"a reply without a refresh token":  {inject(fakeaws.Garbled([]byte(`{"accessToken":{"accessKeyId":"a","secretAccessKey":"b","sessionToken":"c"},"tokenType":"aws_sigv4","expiresIn":900}`))), "RefreshFailing", lostOnce},
		"a reply without credentials":      {inject(fakeaws.Garbled([]byte(`{"tokenType":"aws_sigv4","expiresIn":900,"refreshToken":"x"}`))), "RefreshFailing", lostOnce},
		"a reply of 10 MB":                 {inject(fakeaws.Garbled(make([]byte, 10<<20))), "RefreshFailing", lostOnce},
		"an expiresIn of 0":                {inject(fakeaws.ExpiresIn(0)), "RefreshFailing", lostOnce},
		"a negative expiresIn":             {inject(fakeaws.ExpiresIn(-900)), "RefreshFailing", lostOnce},
		"an expiresIn beyond 32 bits":      {inject(fakeaws.ExpiresIn(1 << 40)), "RefreshFailing", lostOnce},
		"an expiresIn of 1":                {inject(fakeaws.ExpiresIn(1)), "RefreshFailing", 0},
		"credentials that are no younger":  {func(w *world) { w.aws.Inject(fakeaws.Fault{Body: sameAgain(w)}) }, "RefreshFailing", 0},
		"a redirect":                       {inject(fakeaws.Fault{Status: 307, Header: http.Header{"Location": {"http://127.0.0.1:1/"}}}), "RefreshFailing", 0},
		"a certificate that nobody issued": {func(w *world) { elsewhere(tlsServer(w))(w) }, "RefreshFailing", 0},
		"what is no TLS":                   {func(w *world) { elsewhere("https" + w.serve(w.aws)[len("http"):])(w) }, "RefreshFailing", 0},
		"a host that does not exist":       {elsewhere("https://no.such.host.invalid"), "RefreshFailing", 0},
		"nobody listening":                 {elsewhere("https://127.0.0.1:1"), "RefreshFailing", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := staged(t)
			before := w.secret("dev").Data
			row.happens(w)
			w.reconcile("dev")
			w.expect("dev", "Ready", "True Refreshed", "CredentialsValid", "True Published", "Reconciling", "True "+row.reason, "Stalled", "")
			if string(w.secret("dev").Data["credentials.json"]) != string(before["credentials.json"]) {
				t.Error("the old credentials were replaced")
			}
			if w.mend != nil {
				w.mend()
			}
			w.operator.SignIn.Timeout = 0
			w.run("dev", time.Minute)
			w.expectWell("dev")
			w.expectPolite()
			if left := w.get("dev").Status.Credentials.ExpiresAt.Sub(w.clock.Now()); left < 13*time.Minute {
				t.Errorf("the credentials published have %s left", left)
			}
			if stats := w.aws.Stats(); stats.Replayed != row.lost {
				t.Errorf("a spent refresh token was used %d times, want %d", stats.Replayed, row.lost)
			}
			w.expectAlive("login")
		})
	}
}

// TestWrongClock: AWS takes proofs from a wrong clock for an expired session.
func TestWrongClock(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute} {
		t.Run("10 minutes "+name, func(t *testing.T) {
			w := staged(t)
			clock := clocktesting.NewFakePassiveClock(w.clock.Now())
			w.operator.Clock, w.operator.SignIn.Now = clock, clock.Now
			for range 60 {
				clock.SetTime(w.clock.Now().Add(off))
				w.reconcile("dev")
				w.pass(time.Second)
			}
			w.expect("dev", "Ready", "True Refreshed", "SessionActive", "True SessionActive")
			if stats := w.aws.Stats(); stats.Requests > 3 || stats.Rotated != 1 {
				t.Errorf("AWS saw %+v", stats)
			}
			w.expectAlive("login")
		})
	}
}

func tlsServer(w *world) string {
	server := httptest.NewTLSServer(w.aws)
	w.Cleanup(server.Close)
	return server.URL
}

func TestExpiryBeyondTheModelIsNotBelieved(t *testing.T) {
	for _, seconds := range []int64{901, 1<<31 - 1} {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			w := staged(t)
			w.aws.Inject(fakeaws.ExpiresIn(seconds))
			w.reconcile("dev")
			w.expectWell("dev")
			if left := w.get("dev").Status.Credentials.ExpiresAt.Sub(w.clock.Now()); left > 15*time.Minute {
				t.Errorf("the credentials claim to live for %s", left)
			}
		})
	}
}

func TestCredentialsThatAreNoYoungerForLongDoNotMakeAHotLoop(t *testing.T) {
	w := staged(t)
	w.onTheWay.Judge(func(step string) faultproxy.Fault {
		if step != "POST v1/token" {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: sameAgain(w)}
	})
	w.run("dev", 4*time.Minute+30*time.Second)
	if requests := len(w.onTheWay.askedAt); requests < 5 || requests > 15 {
		t.Errorf("AWS was asked %d times in 4.5 minutes", requests)
	}
	w.expect("dev", "Ready", "True Refreshed", "Reconciling", "True RefreshFailing")
	w.pass(time.Minute)
	w.reconcile("dev")
	w.expect("dev", "Ready", "False RefreshOverdue", "SessionActive", "Unknown RefreshFailing", "CredentialsValid", "True Published")
}

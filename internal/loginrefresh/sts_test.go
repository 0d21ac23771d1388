package loginrefresh

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

// newSTS has credentials of a login at a fake AWS STS. SigV4 is signed with
// the real clock, so that the fake has it too.
func newSTS(t *testing.T, arn string) (*STS, Credentials, *fakeaws.Server) {
	t.Helper()
	aws := fakeaws.New(fakeaws.Options{})
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	login := parsed(t, aws.Login(arn).Cache())
	return &STS{Now: time.Now, HTTP: NewHTTPClient(nil), Endpoint: Endpoint{URL: server.URL}}, login.Credentials, aws
}

func TestIdentityIsTheOwnerOfTheCredentials(t *testing.T) {
	for arn, account := range map[string]string{
		admin:                                 "012345678910",
		"arn:aws:iam::111122223333:root":      "111122223333",
		"arn:aws-cn:iam::444455556666:user/a": "444455556666",
	} {
		caller, credentials, _ := newSTS(t, arn)
		got, err := caller.Identity(t.Context(), credentials, "us-east-1")
		if want := (Identity{AccountID: account, ARN: arn}); err != nil || got != want {
			t.Errorf("Identity = %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestCredentialsThatAreWrongHaveNoIdentity(t *testing.T) {
	for name, change := range map[string]func(*Credentials){
		"an unknown access key": func(c *Credentials) { c.AccessKeyID = "ASIACANARY" },
		"a wrong secret":        func(c *Credentials) { c.SecretAccessKey = canary },
		"a wrong session token": func(c *Credentials) { c.SessionToken = canary },
		"no session token":      func(c *Credentials) { c.SessionToken = "" },
		"no credentials at all": func(c *Credentials) { *c = Credentials{} },
	} {
		t.Run(name, func(t *testing.T) {
			caller, credentials, aws := newSTS(t, admin)
			change(&credentials)
			noIdentity(t, caller, credentials)
			if aws.Stats().STSCalls != 0 {
				t.Error("AWS STS answered")
			}
		})
	}
}

func noIdentity(t *testing.T, caller *STS, credentials Credentials) {
	t.Helper()
	identity, err := caller.Identity(t.Context(), credentials, "us-east-1")
	if err == nil || identity != (Identity{}) {
		t.Fatalf("Identity = %+v, %v", identity, err)
	}
	hidesSecrets(t, err.Error())
	if secret := credentials.SecretAccessKey; secret != "" && strings.Contains(err.Error(), secret) {
		t.Errorf("the error reveals the secret: %v", err)
	}
}

func TestAnAnswerThatIsNoIdentityIsRefused(t *testing.T) {
	xml := func(arn, account string) string {
		return `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>` +
			arn + `</Arn><Account>` + account + `</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
	}
	for name, body := range map[string]string{
		"nothing":                 "",
		"HTML":                    "<html>CANARY</html>",
		"no ARN":                  xml("", "012345678910"),
		"an ARN that is none":     xml(canary, "012345678910"),
		"an ARN with line breaks": xml("arn:aws:iam::1:user/a&#10;CANARY", "1"),
		"no account":              xml(admin, ""),
		"an account that is none": xml(admin, canary),
		"XML cut short":           xml(admin, "012345678910")[:200],
		"10 MB":                   "<a>" + strings.Repeat(canary, 10<<20/6),
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				_, _ = w.Write([]byte(body))
			}))
			defer server.Close()
			noIdentity(t, &STS{Now: time.Now, HTTP: NewHTTPClient(nil), Endpoint: Endpoint{URL: server.URL}}, Credentials{AccessKeyID: "a", SecretAccessKey: canary})
			if calls != 1 {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

func TestIdentityIsNotWaitedForLongerThanTheCaller(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client went away
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := (&STS{Now: time.Now, HTTP: NewHTTPClient(nil), Endpoint: Endpoint{URL: server.URL}}).Identity(ctx, Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, "us-east-1")
	if err == nil || time.Since(started) > 2*time.Second {
		t.Errorf("%v after %s", err, time.Since(started))
	}
}

func TestIdentityIsAskedOfThePartition(t *testing.T) {
	for region, want := range map[string]struct{ plain, fips, dual string }{
		"us-east-2":     {"sts.us-east-2.amazonaws.com", "sts-fips.us-east-2.amazonaws.com", "sts.us-east-2.api.aws"},
		"cn-north-1":    {"sts.cn-north-1.amazonaws.com.cn", "sts-fips.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.api.amazonwebservices.com.cn"},
		"us-gov-west-1": {"sts.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.api.aws"},
	} {
		for _, c := range []struct {
			host       string
			fips, dual bool
		}{{want.plain, false, false}, {want.fips, true, false}, {want.dual, false, true}} {
			sent := &recorder{}
			caller := &STS{Now: time.Now, HTTP: &http.Client{Transport: sent}, Endpoint: Endpoint{UseFIPS: c.fips, UseDualStack: c.dual}}
			_, _ = caller.Identity(t.Context(), Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, region)
			if got := strings.Join(sent.urls, " "); got != "POST https://"+c.host+"/" {
				t.Errorf("%s (FIPS %t, dual stack %t): %s, want %s", region, c.fips, c.dual, got, c.host)
			}
		}
	}
}

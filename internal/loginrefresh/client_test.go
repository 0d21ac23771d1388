package loginrefresh

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
)

func TestRefreshBringsNewCredentials(t *testing.T) {
	s := newSignIn(t)
	before := s.login
	s.clock.advance(5*time.Minute + 900*time.Millisecond)
	s.awsClock.advance(5 * time.Minute)
	rotation := s.refresh(t)
	if rotation.Lifetime != 15*time.Minute || rotation.ExpiresAt != noon.Add(20*time.Minute) {
		t.Errorf("lives %s until %s; want 15 minutes from the whole second before sending", rotation.Lifetime, rotation.ExpiresAt)
	}
	if s.login.Credentials.AccessKeyID == before.Credentials.AccessKeyID || s.login.refreshToken == before.refreshToken {
		t.Error("the credentials or the refresh token are the old ones")
	}
	s.refresh(t)
	if stats := s.aws.Stats(); stats.Requests != 2 || stats.Rotated != 2 || stats.Refused != 0 {
		t.Errorf("AWS counted %+v", stats)
	}
}

func TestRefreshSendsTheRequestOfTheModel(t *testing.T) {
	for _, clientID := range []string{fakeaws.SameDevice, fakeaws.CrossDevice} {
		s := newSignIn(t)
		s.login = parsed(t, s.aws.Login(admin, fakeaws.WithClientID(clientID)).Cache())
		want := map[string]any{"clientId": clientID, "grantType": "refresh_token", "refreshToken": s.login.refreshToken}
		s.refresh(t)
		sent := s.requests()[0]
		var body map[string]any
		if err := json.Unmarshal([]byte(sent.body), &body); err != nil || fmt.Sprint(body) != fmt.Sprint(want) {
			t.Errorf("sent another body than clientId, grantType and refreshToken (%v)", err)
		}
		if sent.url != s.server.URL+"/v1/token" || sent.header.Get("Content-Type") != "application/json" || sent.header.Get("Authorization") != "" {
			t.Errorf("sent to %s with %v", sent.url, sent.header["Content-Type"])
		}
	}
}

func TestEveryAttemptHasAProofOfItsOwn(t *testing.T) {
	s := newSignIn(t)
	thumbprint := s.login.KeyThumbprint()
	s.aws.Inject(fakeaws.ServerError(), fakeaws.ServerError())
	_ = s.fail(t)
	s.clock.advance(2 * time.Second)
	_ = s.fail(t)
	s.clock.advance(2 * time.Second)
	s.refresh(t)
	ids := map[any]bool{}
	for i, p := range s.proofs(t) {
		ids[p.claims["jti"]] = true
		if want := fmt.Sprint(noon.Unix() + int64(2*i)); fmt.Sprint(p.claims["iat"]) != want {
			t.Errorf("attempt %d has iat %v, want %s", i, p.claims["iat"], want)
		}
		if p.claims["htu"] != s.server.URL+"/v1/token" || p.thumbprint() != thumbprint {
			t.Errorf("attempt %d proves another key or another URL", i)
		}
	}
	if len(ids) != 3 || len(s.requests()) != 3 {
		t.Errorf("%d attempts had %d ids; want 3 and 3", len(s.requests()), len(ids))
	}
}

func TestRefreshWorksWithKeysOfShortCoordinates(t *testing.T) {
	key := newKey()
	for must(key.PublicKey.Bytes())[1] != 0 {
		key = newKey()
	}
	s := newSignIn(t)
	s.login = parsed(t, s.aws.Login(admin, fakeaws.WithKey(key)).Cache())
	s.refresh(t)
}

func TestACorrectedClockIsUsedFromThenOn(t *testing.T) {
	for name, off := range map[string]time.Duration{"behind": 10 * time.Minute, "ahead": -10 * time.Minute} {
		t.Run("our clock is "+name, func(t *testing.T) {
			s := newSignIn(t)
			s.awsClock.advance(off)
			if err := s.fail(t); err.Outcome != ClockSkew || err.Skew != off || err.Code != "TOKEN_EXPIRED" {
				t.Fatalf("outcome %s, skew %s: %v", err.Outcome, err.Skew, err)
			}
			if rotation := s.refresh(t); rotation.ExpiresAt != noon.Add(15*time.Minute) {
				t.Errorf("expires at %s: that must be by our clock", rotation.ExpiresAt)
			}
			s.refresh(t)
			s.awsClock.advance(-off) // somebody corrects our clock
			if err := s.fail(t); err.Outcome != ClockSkew {
				t.Errorf("outcome %s: %v", err.Outcome, err)
			}
			s.refresh(t)
		})
	}
}

func TestASmallClockSkewIsNoExcuse(t *testing.T) {
	for _, off := range []time.Duration{0, 30 * time.Second, -30 * time.Second} {
		s := newSignIn(t)
		s.awsClock.advance(off)
		s.aws.EndSession(admin)
		if err := s.fail(t); err.Outcome != SessionOver || err.Skew != off {
			t.Errorf("outcome %s, skew %s; want SessionOver, %s", err.Outcome, err.Skew, off)
		}
	}
}

func TestASessionThatIsOverIsFoundOutDespiteAWrongClock(t *testing.T) {
	s := newSignIn(t)
	s.awsClock.advance(10 * time.Minute)
	s.aws.EndSession(admin)
	if err := s.fail(t); err.Outcome != ClockSkew {
		t.Fatalf("the first outcome is %s", err.Outcome)
	}
	if err := s.fail(t); err.Outcome != SessionOver {
		t.Errorf("the second outcome is %s", err.Outcome)
	}
}

// The difference of these dates is more than a time.Duration can hold.
func TestNoDateMakesAWrongClockLookRight(t *testing.T) {
	s := newSignIn(t)
	for _, date := range []string{"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		s.aws.Inject(with(answer(401, "AccessDeniedException", "TOKEN_EXPIRED"), "Date", date))
		if err := s.fail(t); err.Outcome != ClockSkew {
			t.Errorf("%s: outcome %s, skew %s", date, err.Outcome, err.Skew)
		}
	}
}

// recorder answers nothing but writes down where requests would go.
type recorder struct{ urls []string }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.urls = append(r.urls, request.Method+" "+request.URL.String())
	return nil, errors.New("not sent")
}

func TestRefreshGoesToAWSsEndpointOfThePartition(t *testing.T) {
	cases := map[string]struct{ plain, fips, dual, both string }{
		"us-east-1":       {"us-east-1.signin.aws.amazon.com", "signin-fips.us-east-1.amazonaws.com", "signin.us-east-1.api.aws", "signin-fips.us-east-1.api.aws"},
		"ap-northeast-1":  {"ap-northeast-1.signin.aws.amazon.com", "signin-fips.ap-northeast-1.amazonaws.com", "signin.ap-northeast-1.api.aws", "signin-fips.ap-northeast-1.api.aws"},
		"xx-unknown-7":    {"xx-unknown-7.signin.aws.amazon.com", "signin-fips.xx-unknown-7.amazonaws.com", "signin.xx-unknown-7.api.aws", "signin-fips.xx-unknown-7.api.aws"},
		"cn-north-1":      {"cn-north-1.signin.amazonaws.cn", "signin-fips.cn-north-1.amazonaws.com.cn", "signin.cn-north-1.api.amazonwebservices.com.cn", "signin-fips.cn-north-1.api.amazonwebservices.com.cn"},
		"us-gov-west-1":   {"us-gov-west-1.signin.amazonaws-us-gov.com", "signin-fips.amazonaws-us-gov.com", "signin.us-gov-west-1.api.aws", "signin-fips.us-gov-west-1.api.aws"},
		"us-gov-east-1":   {"us-gov-east-1.signin.amazonaws-us-gov.com", "us-gov-east-1.signin-fips.amazonaws-us-gov.com", "signin.us-gov-east-1.api.aws", "signin-fips.us-gov-east-1.api.aws"},
		"eusc-de-east-1":  {"eusc-de-east-1.signin.amazonaws-eusc.eu", "signin-fips.eusc-de-east-1.amazonaws.eu", "signin.eusc-de-east-1.api.amazonwebservices.eu", "signin-fips.eusc-de-east-1.api.amazonwebservices.eu"},
		"us-iso-east-1":   {plain: "us-iso-east-1.signin.c2shome.ic.gov", fips: "signin-fips.us-iso-east-1.c2s.ic.gov"},
		"us-isob-east-1":  {plain: "us-isob-east-1.signin.sc2shome.sgov.gov", fips: "signin-fips.us-isob-east-1.sc2s.sgov.gov"},
		"us-isof-south-1": {plain: "us-isof-south-1.signin.csphome.hci.ic.gov", fips: "signin-fips.us-isof-south-1.csp.hci.ic.gov"},
		"eu-isoe-west-1":  {plain: "eu-isoe-west-1.signin.csphome.adc-e.uk", fips: "signin-fips.eu-isoe-west-1.cloud.adc-e.uk"},
	}
	login := parsed(t, cacheWith(nil))
	for region, c := range cases {
		for _, want := range []struct {
			host       string
			fips, dual bool
		}{{c.plain, false, false}, {c.fips, true, false}, {c.dual, false, true}, {c.both, true, true}} {
			if want.host == "" {
				continue
			}
			sent := &recorder{}
			client := &Client{HTTP: &http.Client{Transport: sent}, Endpoint: Endpoint{UseFIPS: want.fips, UseDualStack: want.dual}, Now: noonNow}
			_, err := client.Refresh(t.Context(), login, region)
			if got, want := fmt.Sprint(sent.urls), "[POST https://"+want.host+"/v1/token]"; got != want {
				t.Errorf("%s (FIPS %t, dual stack %t): %s, want %s (%v)", region, client.Endpoint.UseFIPS, client.Endpoint.UseDualStack, got, want, err)
			}
		}
	}
}

func noonNow() time.Time { return noon }

func TestOneClientServesManyRegions(t *testing.T) {
	sent := &recorder{}
	client := &Client{HTTP: &http.Client{Transport: sent}, Now: noonNow}
	for _, region := range []string{"us-east-1", "us-east-2", "us-east-1"} {
		_, _ = client.Refresh(t.Context(), parsed(t, cacheWith(nil)), region)
	}
	want := "[POST https://us-east-1.signin.aws.amazon.com/v1/token POST https://us-east-2.signin.aws.amazon.com/v1/token" +
		" POST https://us-east-1.signin.aws.amazon.com/v1/token]"
	if got := fmt.Sprint(sent.urls); got != want {
		t.Errorf("sent %s", got)
	}
}

func TestTheEnvironmentChangesNothing(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	profile := "[default]\nendpoint_url = https://config.example\nregion = cn-north-1\nuse_fips_endpoint = true\n[profile evil]\nendpoint_url = https://profile.example\n"
	if err := os.WriteFile(config, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "https://evil.example", "AWS_ENDPOINT_URL_SIGNIN": "https://evil.example", "AWS_ENDPOINT_URL_STS": "https://evil.example",
		"AWS_ACCESS_KEY_ID": "AKIAEVIL", "AWS_SECRET_ACCESS_KEY": "evil", "AWS_SESSION_TOKEN": "evil", "AWS_PROFILE": "evil",
		"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": config, "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1",
		"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_MAX_ATTEMPTS": "5", "AWS_RETRY_MODE": "adaptive",
		"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_CA_BUNDLE": "/nowhere",
	} {
		t.Setenv(name, value)
	}
	sent := &recorder{}
	client := &Client{HTTP: &http.Client{Transport: sent}, Now: noonNow}
	_, _ = client.Refresh(t.Context(), parsed(t, cacheWith(nil)), "us-east-1")
	caller := &STS{Now: time.Now, HTTP: &http.Client{Transport: sent}}
	_, _ = caller.Identity(t.Context(), parsed(t, cacheWith(nil)).Credentials, "us-east-1")
	if got, want := fmt.Sprint(sent.urls), "[POST https://us-east-1.signin.aws.amazon.com/v1/token POST https://sts.us-east-1.amazonaws.com/]"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}

	s := newSignIn(t)
	s.refresh(t)
	s.aws.Inject(fakeaws.ServerError())
	_ = s.fail(t)
	if n := len(s.requests()); n != 2 {
		t.Errorf("%d requests for two refreshes", n)
	}
}

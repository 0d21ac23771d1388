package signin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/loginrefresh"
)

const alice = "arn:aws:sts::111122223333:assumed-role/Developer/alice"

// newFlow is a flow at an AWS whose clock is off.
func newFlow(t *testing.T, skew time.Duration) (Flow, *fakeaws.Server) {
	t.Helper()
	aws := fakeaws.New(fakeaws.Options{Now: func() time.Time { return time.Now().Add(skew) }})
	aws.SetPerson(alice)
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	client := &loginrefresh.Client{HTTP: loginrefresh.NewHTTPClient(nil), Endpoint: loginrefresh.Endpoint{URL: server.URL}, Now: time.Now}
	return Flow{Client: client, Region: "eu-west-1"}, aws
}

// allow is a browser in which the person consents; it returns the last page.
func allow(t *testing.T, page string) string {
	t.Helper()
	_, body, err := fakeaws.Browse(page, "allow")
	if err != nil {
		t.Error(err)
	}
	return body
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func get(t *testing.T, page string) string {
	t.Helper()
	response, err := http.Get(page)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

func TestLoginOfASignInCanBeRefreshed(t *testing.T) {
	for name, skew := range map[string]time.Duration{"with the clock of AWS": 0, "with a clock that is an hour off": time.Hour} {
		t.Run(name, func(t *testing.T) {
			flow, aws := newFlow(t, skew)
			pages := make(chan string, 1)
			login, err := flow.SameDevice(soon(t), func(url string) { go func() { pages <- allow(t, url) }() })
			if err != nil {
				t.Fatalf("%v; refused because %s", err, aws.Stats().LastRefusal)
			}
			if login.Identity.ARN != alice || login.SignInRegion != "eu-west-1" || login.StartedAt.IsZero() {
				t.Errorf("login is %+v of %s, region %s", login.Identity, login.StartedAt, login.SignInRegion)
			}
			if page := <-pages; !strings.Contains(page, "AWS has signed you in") {
				t.Errorf("the browser shows %s", page)
			}
			if _, err := flow.Client.Refresh(t.Context(), login, flow.Region); err != nil {
				t.Errorf("%v; refused because %s", err, aws.Stats().LastRefusal)
			}
		})
	}
}

func TestAuthorizeURLIsThatOfTheAWSCLI(t *testing.T) {
	for name, tt := range map[string]struct {
		region string
		want   string
	}{
		"commercial": {"us-east-2", "https://us-east-2.signin.aws.amazon.com/v1/authorize?"},
		"China":      {"cn-north-1", "https://cn-north-1.signin.amazonaws.cn/v1/authorize?"},
		"GovCloud":   {"us-gov-west-1", "https://us-gov-west-1.signin.amazonaws-us-gov.com/v1/authorize?"},
		"Europe":     {"eusc-de-east-1", "https://eusc-de-east-1.signin.amazonaws-eusc.eu/v1/authorize?"},
	} {
		t.Run(name, func(t *testing.T) {
			flow := Flow{Client: &loginrefresh.Client{HTTP: http.DefaultClient, Now: time.Now}, Region: tt.region}
			a, err := flow.begin(t.Context(), sameDevice)
			if err != nil {
				t.Fatal(err)
			}
			a.redirectURI = "http://127.0.0.1:40123/oauth/callback"
			form := regexp.MustCompile(`^` + regexp.QuoteMeta(tt.want+"response_type=code&client_id=arn%3Aaws%3Asignin%3A%3A%3Adevtools%2Fsame-device&state=") +
				`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}` +
				regexp.QuoteMeta("&code_challenge_method=SHA-256&scope=openid&redirect_uri=http%3A%2F%2F127.0.0.1%3A40123%2Foauth%2Fcallback&code_challenge=") + `[A-Za-z0-9_-]{43}$`)
			if got := a.url(); !form.MatchString(got) {
				t.Errorf("URL is %s", got)
			}
		})
	}
}

func TestEverySignInHasSecretsOfItsOwn(t *testing.T) {
	flow, _ := newFlow(t, 0)
	first, err := flow.begin(t.Context(), sameDevice)
	second, again := flow.begin(t.Context(), sameDevice)
	if err != nil || again != nil {
		t.Fatal(err, again)
	}
	if first.state == second.state || first.verifier == second.verifier || first.key.Equal(second.key) {
		t.Error("two sign-ins have state, verifier or key in common")
	}
	if len(first.verifier) != 64 {
		t.Errorf("the verifier has %d characters", len(first.verifier))
	}
}

// TestCallbackTakesNothingElseForTheAnswer sends what is not the answer, and then
// the answer.
func TestCallbackTakesNothingElseForTheAnswer(t *testing.T) {
	const good = callbackPath + "?code=x&state=s"
	for name, tt := range map[string]struct {
		method, target, host string
		want                 int
	}{
		"a favicon":                   {"GET", "/favicon.ico", "", http.StatusNotFound},
		"the root":                    {"GET", "/?code=x&state=s", "", http.StatusNotFound},
		"a path below":                {"GET", callbackPath + "/?code=x&state=s", "", http.StatusNotFound},
		"an escaped path":             {"GET", "/oauth/%63allback?code=x&state=s", "", http.StatusNotFound},
		"a form":                      {"POST", good, "", http.StatusBadRequest},
		"a look at the headers":       {"HEAD", good, "", http.StatusBadRequest},
		"no state":                    {"GET", callbackPath + "?code=x", "", http.StatusBadRequest},
		"two states":                  {"GET", good + "&state=s", "", http.StatusBadRequest},
		"two codes":                   {"GET", good + "&code=y", "", http.StatusBadRequest},
		"code and error":              {"GET", good + "&error=access_denied", "", http.StatusBadRequest},
		"neither code nor error":      {"GET", callbackPath + "?state=s", "", http.StatusBadRequest},
		"a name that points here":     {"GET", good, "evil.example.com", http.StatusMisdirectedRequest},
		"the machine by another name": {"GET", good, "localhost", http.StatusMisdirectedRequest},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := listen(t.Context(), 0, "s")
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			request := httptest.NewRequest(tt.method, "http://"+c.address+tt.target, nil)
			if tt.host != "" {
				request.Host = tt.host
			}
			w := httptest.NewRecorder()
			c.ServeHTTP(w, request)
			if w.Code != tt.want {
				t.Errorf("answered %d, want %d", w.Code, tt.want)
			}
			if got := get(t, "http://"+c.address+good); !strings.Contains(got, "AWS has signed you in") {
				t.Errorf("then the answer got %s", got)
			}
			if code, err := c.wait(soon(t)); code != "x" || err != nil {
				t.Errorf("the code is %q, error %v", code, err)
			}
		})
	}
}

func TestCallbackAnswersOnceAndKeepsNoPage(t *testing.T) {
	c, err := listen(t.Context(), 0, "s")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var codes []int
	for range 2 {
		response, err := http.Get(c.redirectURI() + "?code=x&state=s")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		codes = append(codes, response.StatusCode)
		header := response.Header
		if header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none';") || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("headers are %v", header)
		}
	}
	if codes[0] != http.StatusOK || codes[1] != http.StatusGone {
		t.Errorf("answered %v", codes)
	}
	if _, err := c.wait(soon(t)); err != nil {
		t.Error(err)
	}
}

func TestCallbackListensOnTheLoopbackAddressOnly(t *testing.T) {
	c, err := listen(t.Context(), 0, "s")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if !strings.HasPrefix(c.address, "127.0.0.1:") {
		t.Errorf("listens on %s", c.address)
	}
	_, port, _ := strings.Cut(c.address, ":")
	number, _ := strconv.Atoi(port)
	if _, err := listen(t.Context(), number, "s"); err == nil || !strings.Contains(err.Error(), "port "+port+" of 127.0.0.1 is in use") {
		t.Errorf("a second one: %v", err)
	}
}

func TestAnswersThatEndASignIn(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		want   string
	}{
		"of another sign-in":           {"code=x&state=t", ErrForeign.Error()},
		"a denial of another sign-in":  {"error=access_denied&state=t", ErrForeign.Error()},
		"a denial":                     {"error=access_denied&state=s", ErrDenied.Error()},
		"another error":                {"error=server_error&state=s", "AWS Sign-In did not sign you in: server_error"},
		"an error that is not a code":  {"error=%1b[2J&state=s", "AWS Sign-In answered without a code"},
		"an empty code":                {"code=&state=s", "AWS Sign-In answered without a code"},
		"a state that begins the same": {"code=x&state=ss", ErrForeign.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := listen(t.Context(), 0, "s")
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			if page := get(t, c.redirectURI()+"?"+tt.answer); !strings.Contains(page, "Not signed in") {
				t.Errorf("the browser shows %s", page)
			}
			if code, err := c.wait(soon(t)); err == nil || err.Error() != tt.want || code != "" {
				t.Errorf("code %q, error %v, want %s", code, err, tt.want)
			}
		})
	}
}

func TestPastedCode(t *testing.T) {
	const unclear = "what was pasted is not the code that the page shows: copy all of it"
	for name, tt := range map[string]struct{ pasted, code, problem string }{
		"as the page shows it":    {"c3RhdGU9cyZjb2RlPWElMkJi", "a+b", ""},
		"with line breaks":        {" c3RhdGU9c\r\nyZjb2RlPWElMkJi\n", "a+b", ""},
		"nothing":                 {"", "", unclear},
		"words":                   {"yes, please", "", unclear},
		"base64 of something":     {"aGVsbG8=", "", unclear},
		"of another sign-in":      {"c3RhdGU9dCZjb2RlPWFi", "", ErrForeign.Error()},
		"cut in front":            {"YXRlPXMmY29kZT1hYg==", "", unclear},
		"cut at the end, no code": {"c3RhdGU9cw==", "", "AWS Sign-In answered without a code"},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := readPasted(tt.pasted, "s")
			if code != tt.code || (err == nil) != (tt.problem == "") || (err != nil && err.Error() != tt.problem) {
				t.Errorf("code %q, error %v", code, err)
			}
		})
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	flow, _ := newFlow(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	var address atomic.Value
	_, err := flow.SameDevice(ctx, func(page string) {
		parsed, _ := url.Parse(page)
		address.Store(parsed.Query().Get("redirect_uri"))
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if _, err := http.Get(address.Load().(string)); err == nil {
		t.Error("the callback is still served")
	}
}

package main

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/awsfiles"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
	"awslogin.dev/operator/internal/loginrefresh"
)

func TestOneCommandLeadsFromNothingToReady(t *testing.T) {
	s := newShell(t)
	r := s.run("", "login", "--no-browser")
	s.must(r.err)

	session, secret := s.session("aws"), s.secret("aws-login")
	if !meta.IsStatusConditionTrue(session.Status.Conditions, v1alpha1.ReadyCondition) || session.Status.Identity.ARN != alice {
		t.Errorf("status is %+v", session.Status)
	}
	login, err := loginrefresh.Parse(secret.Data[awsfiles.LoginCacheFile(alice)])
	if err != nil || login.SignInRegion != "us-east-1" || session.Spec.SignInRegion != "us-east-1" {
		t.Errorf("keys %v, login %v, error %v", slices.Collect(maps.Keys(secret.Data)), login, err)
	}
	if !strings.Contains(r.messages, "LoginSession aws: Refreshed") || strings.Contains(r.messages, "has not reported") {
		t.Errorf("said:\n%s", r.messages)
	}
	if !strings.Contains(r.output, "secretName: aws\n") {
		t.Errorf("printed:\n%s", r.output)
	}
}

func TestLoginAgainReplacesTheLogin(t *testing.T) {
	s := newShell(t)
	s.must(s.run("", "login", "dev", "--no-browser").err)
	first := s.secret("dev-login")
	before := s.session("dev").Status.Session

	r := s.run("", "login", "--no-browser") // the only one
	s.must(r.err)
	second := s.secret("dev-login")
	if len(second.Data) != 1 || string(second.Data[awsfiles.LoginCacheFile(alice)]) == string(first.Data[awsfiles.LoginCacheFile(alice)]) {
		t.Error("the login cache is the one from before")
	}
	if s.session("dev").Status.Session.Fingerprint == before.Fingerprint {
		t.Error("the command ended before the operator had seen the new login")
	}
}

func TestAnotherPersonsLoginIsReplacedAfterAQuestion(t *testing.T) {
	for name, tt := range map[string]struct {
		input string
		args  []string
	}{
		"answered":            {"y\n", nil},
		"answered beforehand": {"", []string{"--yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.must(s.run("", "login", "--no-browser").err)
			aws.SetPerson(bob)
			r := s.run(tt.input, append([]string{"login", "--no-browser"}, tt.args...)...)
			s.must(r.err)
			if asked := strings.Contains(r.messages, "signed in as "+alice+". Replace that login? [y/N]"); asked != (tt.input != "") {
				t.Errorf("said:\n%s", r.messages)
			}
			if keys := slices.Collect(maps.Keys(s.secret("aws-login").Data)); len(keys) != 1 || keys[0] != awsfiles.LoginCacheFile(bob) {
				t.Errorf("the Secret has keys %v", keys)
			}
			if arn := s.session("aws").Status.Identity.ARN; arn != bob {
				t.Errorf("the LoginSession is signed in as %s", arn)
			}
		})
	}
}

func TestTheKeyOfALoginCacheStaysWhereSomebodyChoseIt(t *testing.T) {
	for name, tt := range map[string]struct {
		key     string // in the spec
		secret  map[string][]byte
		changed string
	}{
		"named in the spec":                  {"b.json", map[string][]byte{"a.json": aLogin(), "b.json": aLogin()}, "b.json"},
		"named in the spec and not there":    {"c", map[string][]byte{"a.json": aLogin()}, "c"},
		"the only one, as in kubectl create": {"", map[string][]byte{"login.json": aLogin()}, "login.json"},
		"beside other keys":                  {"", map[string][]byte{"login.json": aLogin(), "note": []byte("mine")}, "login.json"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.createSecret("dev-login", tt.secret)
			s.createSession("dev", func(session *v1alpha1.LoginSession) { session.Spec.LoginCacheSecretRef.Key = tt.key })
			s.must(s.run("", "login", "--no-browser").err)

			got := s.secret("dev-login").Data
			if login, err := loginrefresh.Parse(got[tt.changed]); err != nil || login.SignInRegion == "" || string(got[tt.changed]) == string(tt.secret[tt.changed]) {
				t.Errorf("key %s has no new login: %v", tt.changed, err)
			}
			delete(got, tt.changed)
			delete(tt.secret, tt.changed)
			if !maps.EqualFunc(got, tt.secret, func(a, b []byte) bool { return string(a) == string(b) }) {
				t.Errorf("other keys were changed: %v", slices.Collect(maps.Keys(got)))
			}
		})
	}
}

func TestLoginCacheOfManualStepsGetsALoginSession(t *testing.T) {
	s := newShell(t)
	s.createSecret("aws-login", map[string][]byte{"login.json": aLogin()})
	s.must(s.run("", "login", "--no-browser").err)
	if keys := slices.Collect(maps.Keys(s.secret("aws-login").Data)); len(keys) != 1 || keys[0] != "login.json" {
		t.Errorf("the Secret has keys %v", keys)
	}
}

func TestCodeOfAnotherMachineIsPasted(t *testing.T) {
	s := newShell(t)
	pasted := &clipboard{content: make(chan string, 1)}
	s.browse = func(page string) { pasted.content <- s.codeOn(s.consent(page, "allow")) + "\n" }
	r := s.runContext(t.Context(), pasted, "login", "dev", "--remote")
	s.must(r.err)
	if !strings.Contains(r.messages, "Paste the code") {
		t.Errorf("said:\n%s", r.messages)
	}
	if arn := s.session("dev").Status.Identity.ARN; arn != alice {
		t.Errorf("signed in as %s", arn)
	}
}

func TestQuestionAfterACodeThatWasPasted(t *testing.T) {
	s := newShell(t)
	s.must(s.run("", "login", "--no-browser").err)
	aws.SetPerson(bob)
	pasted := &clipboard{content: make(chan string, 1)}
	s.browse = func(page string) { pasted.content <- s.codeOn(s.consent(page, "allow")) + "\ny\n" }
	s.must(s.runContext(t.Context(), pasted, "login", "--remote").err)
	if arn := s.session("aws").Status.Identity.ARN; arn != bob {
		t.Errorf("signed in as %s", arn)
	}
}

func TestLoginReplacesOneThatIsBeingRefreshed(t *testing.T) {
	s := newShell(t)
	s.must(s.run("", "login", "--no-browser").err)
	refreshes := 0
	s.behindProxy(func(r *http.Request) faultproxy.Fault {
		if faultproxy.Step(r) != "PUT secrets/aws-login" || r.URL.Query().Get("dryRun") != "" || refreshes > 0 {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Before: func() {
			refreshes++
			secret := s.secret("aws-login")
			secret.Annotations = map[string]string{v1alpha1.CredentialsLifetimeAnnotation: "x:900"}
			s.must(api.Update(s.Context(), secret))
		}}
	})
	s.must(s.run("", "login", "--no-browser").err)
	if refreshes != 1 || s.secret("aws-login").Annotations[v1alpha1.CredentialsLifetimeAnnotation] == "" {
		t.Errorf("after %d refreshes the Secret has lost the annotation of one", refreshes)
	}
}

func TestBrowserIsOpened(t *testing.T) {
	s := newShell(t)
	opened := filepath.Join(t.TempDir(), "opened")
	s.browserProgram(`echo "$1" >` + opened)
	shown := ""
	s.browse = func(page string) {
		shown = page
		s.await("a browser", func() bool {
			content, err := os.ReadFile(opened)
			return err == nil && strings.TrimSpace(string(content)) == page
		})
		s.consent(page, "allow")
	}
	r := s.run("", "login")
	s.must(r.err)
	if shown == "" {
		t.Errorf("said:\n%s", r.messages)
	}
}

func TestSuspendedLoginSessionIsNotWaitedFor(t *testing.T) {
	s := newShell(t)
	s.createSession("dev", func(session *v1alpha1.LoginSession) { session.Spec.Suspend = true })
	r := s.run("", "login", "--no-browser")
	s.must(r.err)
	if !strings.Contains(r.messages, "kubectl awslogin resume dev") {
		t.Errorf("said:\n%s", r.messages)
	}
}

func TestRegionOfTheSignIn(t *testing.T) {
	for name, tt := range map[string]struct {
		args    []string
		session func(*v1alpha1.LoginSession) // nil for none
		cache   []byte
		want    string
	}{
		"nothing says which":            {nil, nil, nil, "us-east-1"},
		"the flag":                      {[]string{"--region", "eu-west-1"}, nil, nil, "eu-west-1"},
		"the LoginSession":              {nil, func(l *v1alpha1.LoginSession) { l.Spec.SignInRegion = "eu-west-1" }, nil, "eu-west-1"},
		"the login before":              {nil, func(*v1alpha1.LoginSession) {}, inRegion("eu-west-1"), "eu-west-1"},
		"the workloads' region":         {nil, func(l *v1alpha1.LoginSession) { l.Spec.Region = "eu-west-1" }, nil, "eu-west-1"},
		"the flag before all but these": {[]string{"--region", "eu-west-2"}, func(*v1alpha1.LoginSession) {}, inRegion("eu-west-1"), "eu-west-2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			if tt.session != nil {
				s.createSession("aws", tt.session)
			}
			if tt.cache != nil {
				s.createSecret("aws-login", map[string][]byte{"login.json": tt.cache})
			}
			r := s.run("", append([]string{"login", "--no-browser", "--ready-timeout=0"}, tt.args...)...)
			s.must(r.err)
			if !strings.Contains(r.messages, "Signing in to AWS in "+tt.want+" for") {
				t.Errorf("said:\n%s", r.messages)
			}
			for _, cache := range s.secret("aws-login").Data {
				if login, err := loginrefresh.Parse(cache); err != nil || login.SignInRegion != tt.want {
					t.Errorf("the login is of %v (%v)", login, err)
				}
			}
		})
	}
}

func inRegion(region string) []byte {
	login, err := loginrefresh.Parse(aLogin())
	if err == nil {
		login, err = login.InRegion(region)
	}
	if err != nil {
		panic(err)
	}
	return login.Bytes()
}

// aLogin is a login from somewhere, the session of which has nothing to do with the
// suite's AWS.
func aLogin() []byte { return fakeaws.New(fakeaws.Options{}).Login(alice).Cache() }

func TestSilenceOfTheOperatorIsExplained(t *testing.T) {
	s := newShell(t)
	pauseOperator(t)
	r := s.run("", "login", "--no-browser", "--ready-timeout=200ms")
	for _, want := range []string{
		"Does it run? kubectl get pods -A -l app.kubernetes.io/name=aws-login-operator",
		"error: the operator has not reported anything about LoginSession aws after 200ms: the login is stored, and it goes on when it runs",
	} {
		if !strings.Contains(r.messages, want) {
			t.Errorf("said:\n%s\nwant: %s", r.messages, want)
		}
	}
	if r.output != "" {
		t.Errorf("printed:\n%s", r.output)
	}
}

func TestWhatTheOperatorRefusesEndsTheWait(t *testing.T) {
	s := newShell(t)
	aws.SetPerson("arn:aws:iam::111122223333:root")
	began := time.Now()
	r := s.run("", "login", "--no-browser", "--allow-root", "--ready-timeout=30s")
	if r.err == nil || !strings.Contains(r.messages, "error: LoginSession aws: RootRefused: ") {
		t.Errorf("said:\n%s", r.messages)
	}
	if waited := time.Since(began); waited > 20*time.Second {
		t.Errorf("after %s", waited)
	}
}

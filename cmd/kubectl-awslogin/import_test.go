package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/awsfiles"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
	"awslogin.dev/operator/internal/loginrefresh"
)

// laptop is a machine on which somebody has signed in with `aws login`.
type laptop struct {
	login fakeaws.Login
	path  string // of the login cache
}

func (s *shell) laptop(profile string, server *fakeaws.Server, change func([]byte) []byte) laptop {
	s.Helper()
	folder := s.TempDir()
	l := laptop{login: server.Login(alice)}
	l.path = filepath.Join(folder, l.login.FileName())
	cache := l.login.Cache()
	if change != nil {
		cache = change(cache)
	}
	s.must(os.WriteFile(l.path, cache, 0o600))
	section := "default"
	if profile != "" {
		section = "profile " + profile
	}
	s.must(os.WriteFile(filepath.Join(folder, "config"), []byte("["+section+"]\nlogin_session = "+alice+"\nregion = eu-west-1\n"), 0o600))
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": filepath.Join(folder, "config"), "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_LOGIN_CACHE_DIRECTORY": folder + "/",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
	} {
		s.Setenv(name, value)
	}
	return l
}

func (l laptop) has() bool {
	_, err := os.Stat(l.path)
	return !errors.Is(err, os.ErrNotExist)
}

func TestLoginOfTheLaptopIsImported(t *testing.T) {
	s := newShell(t)
	l := s.laptop("dev", aws, nil)
	r := s.run("", "import", "--profile", "dev")
	s.must(r.err)

	login, err := loginrefresh.Parse(s.secret("aws-login").Data[awsfiles.LoginCacheFile(alice)])
	if err != nil || login.SignInRegion != "eu-west-1" {
		t.Errorf("stored %v, %v", login, err)
	}
	if session := s.session("aws"); session.Spec.SignInRegion != "eu-west-1" || session.Status.Identity.ARN != alice {
		t.Errorf("the LoginSession is %+v", session)
	}
	if !l.has() || !strings.Contains(r.messages, "This machine and the cluster both refresh this login now") || !strings.Contains(r.output, "secretName: aws\n") {
		t.Errorf("said:\n%s\nprinted:\n%s", r.messages, r.output)
	}
}

func TestMovedLoginIsTheOperatorsAlone(t *testing.T) {
	s := newShell(t)
	l := s.laptop("", aws, nil)
	r := s.run("", "import", "dev", "--move")
	s.must(r.err)
	if l.has() || !strings.Contains(r.messages, l.path+" is deleted. For this machine sign in again: aws login --profile default") {
		t.Errorf("said:\n%s", r.messages)
	}
	login, err := loginrefresh.Parse(s.secret("dev-login").Data[l.login.FileName()])
	if err != nil || login.Credentials.AccessKeyID == keyIDIn(t, l.login.Cache()) {
		t.Errorf("the operator has not refreshed it: %v, %v", login, err)
	}
}

func TestLoginThatHasBeenThroughAnSDKIsImported(t *testing.T) {
	s := newShell(t)
	s.laptop("", aws, func(cache []byte) []byte {
		return changed(cache, func(fields map[string]any) { delete(fields, "idToken") })
	})
	s.must(s.run("", "import").err)
	s.must(s.run("", "import", "--yes").err) // again
	if keys := len(s.secret("aws-login").Data); keys != 1 {
		t.Errorf("the Secret has %d keys", keys)
	}
}

func keyIDIn(t *testing.T, cache []byte) string {
	t.Helper()
	login, err := loginrefresh.Parse(cache)
	if err != nil {
		t.Fatal(err)
	}
	return login.Credentials.AccessKeyID
}

// TestLaptopKeepsItsLoginUntilTheOperatorHasRefreshedIt: only then is the operator
// sure to be able to.
func TestLaptopKeepsItsLoginUntilTheOperatorHasRefreshedIt(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*shell, laptop)
		want    string
	}{
		"AWS rejects the refresh": {
			func(*shell, laptop) { aws.Revoke(alice) }, "error: LoginSession dev: RefreshRejected: ",
		},
		"the session is over": {
			func(*shell, laptop) { aws.EndSession(alice) }, "error: LoginSession dev: ReloginRequired: ",
		},
		"the operator does not run": {
			func(s *shell, _ laptop) { pauseOperator(s.T) }, "error: the operator has not reported anything",
		},
		"an SDK here has refreshed it too": {
			func(s *shell, l laptop) {
				s.behindProxy(func(r *http.Request) faultproxy.Fault {
					if faultproxy.Step(r) != "POST secrets" || r.URL.Query().Get("dryRun") != "" {
						return faultproxy.Fault{}
					}
					return faultproxy.Fault{Before: func() { s.must(os.WriteFile(l.path, []byte("{}"), 0o600)) }}
				})
			}, "error: the operator has taken the login over, but ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			l := s.laptop("", aws, nil)
			tt.prepare(s, l)
			r := s.run("", "import", "dev", "--move", "--ready-timeout=5s")
			if r.err == nil || !strings.Contains(r.messages, tt.want) || !l.has() {
				t.Errorf("said:\n%s\nwant: %s", r.messages, tt.want)
			}
		})
	}
}

func TestImportsThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*shell)
		args    []string
		want    string
	}{
		"there is no such profile": {func(s *shell) { s.laptop("dev", aws, nil) }, nil, "there is no AWS profile default"},
		"the file is none of `aws login`": {
			func(s *shell) { s.laptop("", aws, func([]byte) []byte { return []byte("{}") }) }, nil,
			`of the login cache is missing or empty: sign in again with ` + "`aws login --profile default`",
		},
		"the session has ended": {
			func(s *shell) {
				s.laptop("", fakeaws.New(fakeaws.Options{Now: func() time.Time { return time.Now().Add(-13 * time.Hour) }}), nil)
			}, nil, "sign in with `kubectl awslogin login`",
		},
		"the login is of another region than the flag": {
			func(s *shell) { s.laptop("", aws, withRegion("eu-west-2")) }, []string{"--region", "us-east-1"},
			"the login is of region eu-west-2: leave --region out",
		},
		"the login is of another region than the LoginSession": {
			func(s *shell) {
				s.createSession("dev", func(session *v1alpha1.LoginSession) { session.Spec.SignInRegion = "us-east-1" })
				s.laptop("", aws, withRegion("eu-west-2"))
			}, nil, "LoginSession dev signs in in us-east-1 (spec.signInRegion), and this would be a login in eu-west-2",
		},
		"a move to a LoginSession that is suspended": {
			func(s *shell) {
				s.createSession("dev", func(session *v1alpha1.LoginSession) { session.Spec.Suspend = true })
				s.laptop("", aws, nil)
			}, []string{"--move"}, "it needs a LoginSession that is not suspended, and time",
		},
		"the operator is not installed": {
			func(s *shell) { s.laptop("", aws, nil); s.behindProxy(notInstalled) }, nil, "install the operator first",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			tt.prepare(s)
			before := s.inventory()
			r := s.run("", append([]string{"import"}, tt.args...)...)
			if r.err == nil || !strings.Contains(r.messages, tt.want) || s.inventory() != before {
				t.Errorf("said:\n%s\nwant: %s", r.messages, tt.want)
			}
		})
	}
}

func withRegion(region string) func([]byte) []byte {
	return func(cache []byte) []byte {
		return changed(cache, func(fields map[string]any) { fields["signInRegion"] = region })
	}
}

func changed(cache []byte, change func(map[string]any)) []byte {
	var fields map[string]any
	err := json.Unmarshal(cache, &fields)
	change(fields)
	written, encodeErr := json.Marshal(fields)
	if err != nil || encodeErr != nil {
		panic(errors.Join(err, encodeErr))
	}
	return written
}

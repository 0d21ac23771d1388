package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

// signedIn has LoginSession dev, with a login of the suite's AWS, Ready.
func signedIn(t *testing.T, changes ...func(*v1alpha1.LoginSession)) *shell {
	t.Helper()
	s := newShell(t)
	s.createSecret("dev-login", map[string][]byte{"login.json": aws.Login(alice).Cache()})
	s.createSession("dev", changes...)
	s.awaitReady("dev")
	return s
}

func (s *shell) awaitReady(name string) {
	s.Helper()
	s.await("LoginSession "+name+" is Ready", func() bool {
		return meta.IsStatusConditionTrue(s.session(name).Status.Conditions, v1alpha1.ReadyCondition)
	})
}

// wants has what a command has to print, and not to print where it begins with "!".
func (r result) wants(t *testing.T, wants ...string) {
	t.Helper()
	all := r.messages + r.output
	for _, want := range wants {
		unwanted, not := strings.CutPrefix(want, "!")
		if strings.Contains(all, unwanted) == not {
			t.Errorf("printed:\n%s\nwant: %s", all, want)
		}
	}
}

// mountingPod mounts a Secret. There is no kubelet: it stays as it is.
func (s *shell) mountingPod(name, secret string) {
	s.Helper()
	s.must(api.Create(s.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "app", Image: "example.com/app"}},
			Volumes: []corev1.Volume{{Name: "aws", VolumeSource: corev1.VolumeSource{
				Secret: &corev1.SecretVolumeSource{SecretName: secret},
			}}},
		},
	}))
}

func TestStatusTellsAllAboutOneLoginSession(t *testing.T) {
	s := signedIn(t)
	s.mountingPod("web", "dev")
	s.mountingPod("other", "tls")
	r := s.run("", "status")
	s.must(r.err)
	r.wants(t, "Signed in as:", alice, "Account:", "111122223333", "True, Refreshed: Secret "+s.namespace+"/dev is kept supplied",
		"Credentials end:", ", in 14m", "Next refresh:", ", in 4m", "Session ends:", ", in 11h at the latest", "Target:", "Secret dev", "web", "!other", "!Suspended")
}

func TestStatusTellsWhyALoginSessionIsNotReady(t *testing.T) {
	s := newShell(t)
	s.createSession("dev")
	s.await("it is reported", func() bool { return len(s.session("dev").Status.Conditions) > 0 })
	r := s.run("", "status", "dev")
	s.must(r.err)
	r.wants(t, "False, LoginCacheNotFound: Secret "+s.namespace+"/dev-login does not exist", "there are none yet", "none mount it")
}

func TestStatusOfSeveralIsATable(t *testing.T) {
	s := signedIn(t)
	s.createSession("paused", func(session *v1alpha1.LoginSession) { session.Spec.Suspend = true })
	s.mountingPod("web", "dev")
	for name, tt := range map[string]struct {
		args  []string
		wants []string
	}{
		"of the namespace":     {nil, []string{"NAME ", "NEXT REFRESH", "SESSION ENDS", "!NAMESPACE", "!TARGET", "Refreshed", "in 11h", "Suspended", "<none>"}},
		"of all namespaces":    {[]string{"-A"}, []string{"NAMESPACE", s.namespace}},
		"with more columns":    {[]string{"-o", "wide"}, []string{"SIGNED IN AS", alice, "TARGET"}},
		"names only":           {[]string{"-o", "name"}, []string{"loginsession.awslogin.dev/dev\n", "loginsession.awslogin.dev/paused\n"}},
		"as JSON":              {[]string{"-o", "json"}, []string{`"kind": "LoginSessionList"`, `"kind": "LoginSession"`, `"nextRefreshAt"`, "!managedFields"}},
		"as YAML, of one":      {[]string{"dev", "-o", "yaml"}, []string{"kind: LoginSession\n", "nextRefreshAt:", "!paused"}},
		"in an unknown format": {[]string{"-o", "xml"}, []string{`error: unable to match a printer suitable for the output format "xml"`}},
		"one of all":           {[]string{"dev", "-A"}, []string{"error: a LoginSession is in one namespace"}},
		"one that is not":      {[]string{"prod"}, []string{"error: namespace " + s.namespace + " has no LoginSession prod: `kubectl awslogin login prod -n " + s.namespace + "` makes it"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.run("", append([]string{"status"}, tt.args...)...)
			r.wants(t, tt.wants...)
			if failed := strings.Contains(r.messages, "error: "); failed != (r.err != nil) {
				t.Errorf("ended with %v", r.err)
			}
		})
	}
}

func TestStatusCountsPodsInATable(t *testing.T) {
	s := signedIn(t)
	s.createSession("paused", func(session *v1alpha1.LoginSession) { session.Spec.Suspend = true })
	s.mountingPod("web", "dev")
	r := s.run("", "status")
	s.must(r.err)
	row := regexp.MustCompile(`(?m)^dev +True +Refreshed +111122223333 +in 14m +in \S+ +in 11h +1 *$`)
	if !row.MatchString(r.output) {
		t.Errorf("printed:\n%s", r.output)
	}
}

func TestStatusOfNothing(t *testing.T) {
	s := newShell(t)
	r := s.run("", "status")
	s.must(r.err)
	r.wants(t, "There is no LoginSession in namespace "+s.namespace+": `kubectl awslogin login` makes one.")
}

func TestStatusWithoutARightToPods(t *testing.T) {
	s := signedIn(t)
	s.becomeUser(mayRead)
	r := s.run("", "status")
	s.must(r.err)
	r.wants(t, "not known: you may not list pods in this namespace", alice)
}

func TestStatusFollowsChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"of one":     {[]string{"dev"}, "yes: nothing is refreshed before"},
		"in a table": {[]string{"-o", "wide"}, "Suspended"},
		"as YAML":    {[]string{"-o", "yaml"}, "suspend: true"},
	} {
		t.Run(name, func(t *testing.T) {
			s := signedIn(t)
			running := s.start(append([]string{"status", "-w"}, tt.args...)...)
			s.await("the first status", func() bool { return strings.Contains(running.printed(), alice) })
			s.must(s.run("", "suspend").err)
			s.await("the change", func() bool { return strings.Contains(running.printed(), tt.want) })
			if err := running.interrupt(); err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestRefreshIsDoneAndTold(t *testing.T) {
	s := signedIn(t)
	before := s.session("dev").Status
	r := s.run("", "refresh")
	s.must(r.err)
	after := s.session("dev").Status
	if after.Credentials.AccessKeyID == before.Credentials.AccessKeyID {
		t.Error("the credentials are those from before")
	}
	r.wants(t, "LoginSession dev is refreshed. Its credentials end at "+after.Credentials.ExpiresAt.Local().Format(time.DateTime))
}

func TestRefreshThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*shell)
		want    string
	}{
		"suspended": {
			func(s *shell) { s.must(s.run("", "suspend").err) },
			"error: LoginSession dev is suspended: `kubectl awslogin resume dev -n ",
		},
		"without a login": {
			func(s *shell) { s.must(api.Delete(s.Context(), s.secret("dev-login"))) },
			"error: LoginSession dev: LoginCacheNotFound: ",
		},
		"of a session that has ended": {
			func(s *shell) { aws.EndSession(alice) },
			"error: LoginSession dev: ReloginRequired: ",
		},
		"of a session that is known to have ended": {
			func(s *shell) { aws.EndSession(alice); _ = s.run("", "refresh") },
			"error: the login session is over, and cannot be refreshed: sign in again with `kubectl awslogin login dev -n ",
		},
		"with a silent operator": {
			func(s *shell) { pauseOperator(s.T) },
			"error: the operator has not reported anything about LoginSession dev after 2s: the request stays",
		},
		"without a right to it": {
			func(s *shell) { s.becomeUser(mayRead) },
			`error: request a refresh of LoginSession dev: loginsessions.awslogin.dev "dev" is forbidden`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := signedIn(t)
			tt.prepare(s)
			r := s.run("", "refresh", "dev", "--timeout=2s")
			if r.err == nil {
				t.Error("succeeded")
			}
			r.wants(t, tt.want)
		})
	}
}

func TestSuspendAndResume(t *testing.T) {
	s := signedIn(t)
	s.createSession("other", func(session *v1alpha1.LoginSession) { session.Spec.LoginCacheSecretRef.Name = "dev-login" })
	for _, step := range []struct {
		verb    string
		suspend bool
		wants   []string
	}{
		{"resume", false, []string{"LoginSession dev is not suspended already."}},
		{"suspend", true, []string{"LoginSession dev is suspended.", "Pods that mount Secret dev keep its credentials until ", "LoginSession other has the same login cache",
			"To go on: kubectl awslogin resume dev -n " + s.namespace}},
		{"suspend", true, []string{"LoginSession dev is suspended already."}},
		{"resume", false, []string{"LoginSession dev is not suspended.", "refreshes it in time again"}},
	} {
		r := s.run("", step.verb, "dev")
		s.must(r.err)
		r.wants(t, step.wants...)
		if got := s.session("dev").Spec.Suspend; got != step.suspend {
			t.Errorf("after %s it is suspended: %t", step.verb, got)
		}
	}
}

func TestResumeTellsThatTheSessionIsOver(t *testing.T) {
	s := signedIn(t)
	aws.EndSession(alice)
	_ = s.run("", "refresh")
	r := s.run("", "resume")
	s.must(r.err)
	r.wants(t, "Its login session is over, so that it cannot be refreshed: kubectl awslogin login dev -n "+s.namespace)
}

func TestLogoutDeletesTheLogin(t *testing.T) {
	s := signedIn(t)
	s.mountingPod("web", "dev")
	r := s.run("y\n", "logout", "dev")
	s.must(r.err)
	r.wants(t, "Secret dev, which pods mount, goes with LoginSession dev. These do, and get no more credentials: web.",
		"Delete LoginSession dev and Secret dev-login? [y/N]", "LoginSession dev is deleted and so is Secret dev-login with the login.",
		"Credentials that pods have got work until ", "AWS has no call that ends the session")
	if left := s.inventory(); strings.Contains(left, "LoginSession dev") || strings.Contains(left, "Secret dev-login") {
		t.Errorf("there is still\n%s", left)
	}
}

func TestLogoutKeepsALoginThatOthersUse(t *testing.T) {
	s := signedIn(t, func(session *v1alpha1.LoginSession) {
		session.Spec.Target.DeletionPolicy = v1alpha1.DeletionPolicyRetain
	})
	s.createSession("other", func(session *v1alpha1.LoginSession) { session.Spec.LoginCacheSecretRef.Name = "dev-login" })
	r := s.run("", "logout", "dev", "--yes")
	s.must(r.err)
	r.wants(t, "Secret dev, which pods mount, stays with its last credentials", "No pod does.",
		"Secret dev-login stays: it has the login of LoginSession other too.", "LoginSession dev is deleted.")
	if left := s.inventory(); strings.Contains(left, "LoginSession dev") || !strings.Contains(left, "Secret dev-login") {
		t.Errorf("there is\n%s", left)
	}
}

func TestLogoutThatIsNotDone(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*shell)
		input   string
		want    string
	}{
		"not confirmed":         {nil, "n\n", "error: not confirmed; nothing was changed in the cluster"},
		"nobody to confirm":     {nil, "", "error: nobody is there to confirm it: run the command again with --yes; nothing was changed"},
		"no right to delete it": {func(s *shell) { s.becomeUser(mayRead) }, "y\n", "error: check beforehand: delete LoginSession dev: "},
		"no right to delete the login": {
			func(s *shell) {
				s.becomeUser(mayRead, right{APIGroups: []string{"awslogin.dev"}, Resources: []string{"loginsessions"}, Verbs: []string{"delete"}})
			}, "y\n", "error: check beforehand: the login is still in Secret dev-login, delete it: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := signedIn(t)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			before := s.inventory()
			r := s.run(tt.input, "logout", "dev")
			if r.err == nil || s.inventory() != before {
				t.Errorf("ended with %v and left\n%s", r.err, s.inventory())
			}
			r.wants(t, tt.want)
		})
	}
}

package main

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/doctor"
	"awslogin.dev/operator/internal/faultproxy"
)

var (
	requests = regexp.MustCompile(`request [0-9a-f-]{36}`)
	spans    = regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?s\b`)
	login    = "sign in with `kubectl awslogin login dev -n NAMESPACE`"
)

// diagnosis is what doctor prints, with NAMESPACE, SPAN and ID in place of what differs from
// run to run.
func (s *shell) diagnosis(args ...string) (lines []string, leftOut string) {
	s.Helper()
	r := s.run("", append([]string{"doctor"}, args...)...)
	text := spans.ReplaceAllString(strings.ReplaceAll(r.output, s.namespace, "NAMESPACE"), "SPAN")
	text = requests.ReplaceAllString(text, "request ID")
	lines = strings.Split(strings.TrimSpace(text), "\n")
	if strings.HasPrefix(text, "Nothing found. ") {
		lines = nil
	}
	if (len(lines) > 0) != (r.err != nil) {
		s.Errorf("ended with %v:\n%s%s", r.err, r.messages, r.output)
	}
	return lines, r.messages
}

func (s *shell) expectDiagnosis(want ...string) {
	s.Helper()
	if got, _ := s.diagnosis(); !slices.Equal(got, want) {
		s.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestDoctorFindsWhatIsWrongWithTheCluster(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*shell)
		want    []string
	}{
		"the operator is not installed": {
			func(s *shell) { s.behindProxy(notInstalled) },
			[]string{"cluster: it does not know LoginSession: install the operator, see its README"},
		},
		"the person may read nothing": {
			func(s *shell) { s.becomeUser() },
			[]string{"namespace/NAMESPACE: you may not list LoginSessions: ask who administers the cluster for the role view there, or name another namespace with -n"},
		},
		"this machine's clock is slow": {
			func(s *shell) { s.behindProxy(dated(time.Now().Add(time.Minute))) },
			[]string{
				"clock of this machine: is SPAN behind the API server's, and AWS refuses requests with a wrong time: have that machine set its clock by NTP",
			},
		},
		"the operator's clock is fast": {
			func(s *shell) { s.operatorDeployment(1); s.lease(2 * time.Minute) },
			[]string{
				"clock of the operator: is SPAN ahead of the API server's (pod operator-0), and AWS refuses requests with a wrong time: have that machine set its clock by NTP",
			},
		},
		"the operator's clock is right": {
			func(s *shell) { s.operatorDeployment(1); s.lease(0) }, nil,
		},
		"no pod of the operator runs": {
			func(s *shell) { s.operatorDeployment(0) },
			[]string{"deployment/operator: the operator has no pod that is available in namespace NAMESPACE: see `kubectl describe deployment/operator -n NAMESPACE`"},
		},
		"the operator has stopped": {
			func(s *shell) { pauseOperator(s.T); s.plannedRefresh("dev", -2*time.Minute) },
			[]string{"loginsession/dev: the operator did not refresh it when it had planned to, SPAN ago: no Deployment of it is in the cluster: install the operator, see its README"},
		},
		"the operator has stopped for somebody who sees no more than the namespace": {
			func(s *shell) {
				pauseOperator(s.T)
				s.plannedRefresh("dev", -2*time.Minute)
				s.becomeUser(mayRead, mayListPods)
			},
			[]string{"loginsession/dev: the operator did not refresh it when it had planned to, SPAN ago: ask who administers the cluster whether it runs, and watches this namespace"},
		},
		"the operator has never looked": {
			func(s *shell) {
				pauseOperator(s.T)
				s.must(api.Delete(s.Context(), s.session("dev")))
				s.createSession("dev")
				s.behindProxy(dated(time.Now().Add(20 * time.Second)))
			},
			[]string{"loginsession/dev: the operator has not reported anything about it in SPAN: no Deployment of it is in the cluster: install the operator, see its README"},
		},
		"the operator has not looked since": {
			func(s *shell) {
				pauseOperator(s.T)
				s.must(s.run("", "suspend").err)
				s.behindProxy(dated(time.Now().Add(20 * time.Second)))
			},
			[]string{"loginsession/dev: the operator has not seen its last change, of SPAN ago: no Deployment of it is in the cluster: install the operator, see its README"},
		},
		"the operator runs, but does not work here": {
			func(s *shell) {
				pauseOperator(s.T)
				s.operatorDeployment(1)
				s.plannedRefresh("dev", -2*time.Minute)
			},
			[]string{"loginsession/dev: the operator did not refresh it when it had planned to, SPAN ago: it runs, so see whether it watches this namespace, and `kubectl logs -n NAMESPACE deployment/operator`"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := signedIn(t)
			tt.prepare(s)
			s.expectDiagnosis(tt.want...)
		})
	}
}

// dated answers the question for the version at this time.
func dated(at time.Time) func(*http.Request) faultproxy.Fault {
	return func(r *http.Request) faultproxy.Fault {
		if r.URL.Path != "/version" {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Status: http.StatusOK, Body: []byte("{}"),
			Header: http.Header{"Date": {at.UTC().Format(http.TimeFormat)}, "Content-Type": {"application/json"}}}
	}
}

var mayListPods = right{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}

// operatorDeployment looks as if it were the operator's.
func (s *shell) operatorDeployment(available int32, flags ...string) {
	s.Helper()
	labels := map[string]string{"app.kubernetes.io/name": "aws-login-operator"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "operator", Labels: labels},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "operator", Image: "example.com/operator", Args: flags}}},
		}},
	}
	s.must(api.Create(s.Context(), deployment))
	s.Cleanup(func() { _ = api.Delete(context.Background(), deployment) })
	deployment.Status.Replicas, deployment.Status.ReadyReplicas, deployment.Status.AvailableReplicas = 1, available, available
	s.must(api.Status().Update(s.Context(), deployment))
}

// lease of an operator whose clock is ahead.
func (s *shell) lease(ahead time.Duration) {
	s.Helper()
	s.must(api.Create(s.Context(), &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "aws-login-operator.awslogin.dev"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: ptr.To("operator-0"), RenewTime: &metav1.MicroTime{Time: time.Now().Add(ahead)}},
	}))
}

// plannedRefresh has the status say so, while the operator is paused.
func (s *shell) plannedRefresh(name string, from time.Duration) {
	s.Helper()
	s.report(name, func(status *v1alpha1.LoginSessionStatus) {
		status.NextRefreshAt = &metav1.Time{Time: time.Now().Add(from)}
	})
}

func (s *shell) report(name string, change func(*v1alpha1.LoginSessionStatus)) {
	s.Helper()
	session := s.session(name)
	before := session.DeepCopy()
	change(&session.Status)
	s.must(api.Status().Patch(s.Context(), session, client.MergeFrom(before)))
}

func TestDoctorFindsWhatIsWrongWithALoginSession(t *testing.T) {
	for name, tt := range map[string]struct {
		session func(*v1alpha1.LoginSession)
		prepare func(*shell)
		reason  string // that the operator reports
		want    []string
	}{
		"the session is over": {
			nil, func(s *shell) { aws.EndSession(alice); _ = s.run("", "refresh") }, "ReloginRequired",
			[]string{"loginsession/dev: ReloginRequired, the login session is over (AWS Sign-In answered HTTP 401, TOKEN_EXPIRED, request ID): " + login},
		},
		"IAM denies the refresh": {
			nil, func(s *shell) {
				aws.DenyRefresh(alice)
				s.Cleanup(func() { aws.AllowRefresh(alice) })
				_ = s.run("", "refresh")
			}, "PermissionDenied",
			[]string{"loginsession/dev: PermissionDenied, IAM denies the refresh (AWS Sign-In answered HTTP 403, INSUFFICIENT_PERMISSIONS, request ID): " +
				"allow signin:CreateOAuth2Token, for example with the managed policy SignInLocalDevelopmentAccess"},
		},
		"there is no login": {
			nil, func(s *shell) { s.must(api.Delete(s.Context(), s.secret("dev-login"))) }, "LoginCacheNotFound",
			[]string{"loginsession/dev: LoginCacheNotFound, Secret NAMESPACE/dev-login does not exist: " + login},
		},
		"the login is something else": {
			nil, func(s *shell) {
				s.replaceSecret("dev-login", map[string][]byte{"login.json": []byte(`{"` + canary + `": 1}`)})
			}, "LoginCacheInvalid",
			[]string{"loginsession/dev: LoginCacheInvalid, Secret NAMESPACE/dev-login cannot be used: field \"clientId\" of the login cache is missing or empty: " + login},
		},
		"the target is somebody else's": {
			func(session *v1alpha1.LoginSession) { session.Spec.Target.SecretName = "theirs" },
			nil, "TargetConflict",
			[]string{"loginsession/dev: TargetConflict, Secret NAMESPACE/theirs exists and does not belong to this LoginSession: " +
				"delete it, or set spec.target.secretName to another name"},
		},
		"the account's root user is signed in": {
			nil, func(s *shell) {
				s.replaceSecret("dev-login", map[string][]byte{"login.json": aws.Login("arn:aws:iam::111122223333:root").Cache()})
			}, "RootRefused",
			[]string{"loginsession/dev: RootRefused, the login session is of the root user of account 111122223333: " +
				"run `aws login` as an IAM or federated user, or start the operator with --allow-root"},
		},
		"the login cannot be written back": {
			nil, func(s *shell) {
				s.replaceSecret("dev-login", s.secret("dev-login").Data, func(secret *corev1.Secret) { secret.Immutable = ptr.To(true) })
				s.must(s.annotateRefresh("dev"))
			}, "WriteBackImpossible",
			[]string{"loginsession/dev: WriteBackImpossible, Secret NAMESPACE/dev-login is immutable, so that a rotated login cache could not be written back: " +
				"delete it and create it again without immutable"},
		},
		"a file cannot be made": {
			func(session *v1alpha1.LoginSession) {
				session.Spec.Target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateText{".netrc": "{{.Nothing}}"}}
			}, nil, "TemplateInvalid", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.createSecret("theirs", map[string][]byte{"key": []byte(canary)})
			s.createSecret("dev-login", map[string][]byte{"login.json": aws.Login(alice).Cache()})
			if tt.session == nil {
				s.createSession("dev")
				s.awaitReady("dev")
			} else {
				s.createSession("dev", tt.session)
			}
			if tt.prepare != nil {
				tt.prepare(s)
			}
			s.await("the operator reports "+tt.reason, func() bool {
				ready := condition(s.session("dev").Status, v1alpha1.ReadyCondition)
				return ready != nil && ready.Reason == tt.reason
			})
			if tt.want != nil {
				s.expectDiagnosis(tt.want...)
				return
			}
			if got, _ := s.diagnosis(); len(got) != 1 || !strings.HasPrefix(got[0], "loginsession/dev: "+tt.reason+", ") {
				t.Errorf("found %q", got)
			}
		})
	}
}

func (s *shell) replaceSecret(name string, data map[string][]byte, changes ...func(*corev1.Secret)) {
	s.Helper()
	s.must(api.Delete(s.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}))
	s.createSecret(name, data, changes...)
}

func (s *shell) annotateRefresh(name string) error {
	_, err := (&cluster{WithWatch: watching(s), namespace: s.namespace}).requestRefresh(s.Context(), s.session(name))
	return err
}

func watching(s *shell) client.WithWatch {
	s.Helper()
	api, err := client.NewWithWatch(environment.Config, client.Options{Scheme: api.Scheme()})
	s.must(err)
	return api
}

// These are states that an operator which works does not leave.
func TestDoctorLooksForItselfWhereTheOperatorDoesNot(t *testing.T) {
	const gone = "no Deployment of it is in the cluster: install the operator, see its README"
	for name, tt := range map[string]struct {
		prepare func(*shell)
		want    []string
	}{
		"the credentials have expired": {
			func(s *shell) { s.credentialsUntil(-time.Minute) },
			[]string{"loginsession/dev: its credentials expired SPAN ago: " + gone},
		},
		"the credentials are overdue": {
			func(s *shell) { s.credentialsUntil(4 * time.Minute) },
			[]string{"loginsession/dev: its credentials should have been replaced by now: " + gone},
		},
		"the credentials are fresh": {
			func(s *shell) { s.credentialsUntil(6 * time.Minute) }, nil,
		},
		"it was suspended and forgotten": {
			func(s *shell) { s.must(s.run("", "suspend").err); s.observed(); s.credentialsUntil(-time.Minute) },
			[]string{"loginsession/dev: its credentials expired SPAN ago: it is suspended, go on with `kubectl awslogin resume dev -n NAMESPACE`"},
		},
		"it is suspended, and the credentials work": {
			func(s *shell) { s.must(s.run("", "suspend").err); s.observed(); s.plannedRefresh("dev", -time.Hour) }, nil,
		},
		"the session ends soon": {
			func(s *shell) { s.endsIn(20 * time.Minute) },
			[]string{"loginsession/dev: the login session ends in SPAN at the latest: " + login + " before"},
		},
		"the session ends soon, for somebody who cannot sign in": {
			func(s *shell) { s.endsIn(20 * time.Minute); s.becomeUser(mayRead, mayListPods) },
			[]string{
				"loginsession/dev: the login session ends in SPAN at the latest: " + login + " before",
				"namespace/NAMESPACE: you may not create secrets, nor update secrets, nor create loginsessions, which `kubectl awslogin login` has to: " +
					"ask who administers the cluster for the role edit there, or have somebody else sign in",
			},
		},
		"the login is gone": {
			func(s *shell) { s.must(api.Delete(s.Context(), s.secret("dev-login"))) },
			[]string{"secret/dev-login: it does not exist, and LoginSession dev has its login there: " + login},
		},
		"the login has lost a field": {
			func(s *shell) {
				s.replaceSecret("dev-login", map[string][]byte{"login.json": []byte(`{"` + canary + `": 1}`)})
			},
			[]string{"secret/dev-login: it cannot be used, field \"clientId\" of the login cache is missing or empty: " + login},
		},
		"there are two logins": {
			func(s *shell) {
				s.replaceSecret("dev-login", map[string][]byte{"a.json": aLogin(), "b.json": aLogin()})
			},
			[]string{"secret/dev-login: it has 2 keys that end in .json, and spec.loginCacheSecretRef.key is empty: " + login},
		},
		"the target is gone": {
			func(s *shell) { s.must(api.Delete(s.Context(), s.secret("dev"))) },
			[]string{"secret/dev: it does not exist, and LoginSession dev publishes there: " + gone},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := signedIn(t)
			pauseOperator(t)
			tt.prepare(s)
			s.expectDiagnosis(tt.want...)
		})
	}
}

func (s *shell) credentialsUntil(from time.Duration) {
	s.Helper()
	s.report("dev", func(status *v1alpha1.LoginSessionStatus) {
		until := time.Now().Add(from)
		status.Credentials.ExpiresAt = &metav1.Time{Time: until}
		status.Credentials.RefreshedAt = &metav1.Time{Time: until.Add(-15 * time.Minute)}
	})
}

func (s *shell) observed() {
	s.Helper()
	generation := s.session("dev").Generation
	s.report("dev", func(status *v1alpha1.LoginSessionStatus) { status.ObservedGeneration = generation })
}

func (s *shell) endsIn(left time.Duration) {
	s.Helper()
	s.report("dev", func(status *v1alpha1.LoginSessionStatus) {
		status.Session.EstimatedEndAt = &metav1.Time{Time: time.Now().Add(left)}
		status.Conditions = append(status.Conditions, metav1.Condition{Type: v1alpha1.SessionEndingSoonCondition, Status: metav1.ConditionTrue,
			Reason: v1alpha1.ReasonSessionEndingSoon, LastTransitionTime: metav1.Now()})
	})
}

func TestDoctorWithoutLoginSessions(t *testing.T) {
	s := newShell(t)
	s.operatorDeployment(1)
	s.expectDiagnosis("namespace/NAMESPACE: it has no LoginSession: sign in with `kubectl awslogin login -n NAMESPACE`")
	if got, _ := s.diagnosis("dev"); !slices.Equal(got, []string{"loginsession/dev: it does not exist in namespace NAMESPACE: " + login}) {
		t.Errorf("found %q", got)
	}
}

func TestDoctorSaysWhatItLookedAtAndWhatNot(t *testing.T) {
	s := signedIn(t)
	r := s.run("", "doctor")
	s.must(r.err)
	r.wants(t, "Nothing found. Looked at the clocks, 1 LoginSession(s) of namespace "+s.namespace+", the operator, the namespace's Secrets, its pods.", "!Left out")

	s.becomeUser(right{APIGroups: []string{"awslogin.dev"}, Resources: []string{"loginsessions"}, Verbs: []string{"list"}})
	r = s.run("", "doctor")
	s.must(r.err)
	r.wants(t, "Nothing found. Looked at the clocks, 1 LoginSession(s) of namespace "+s.namespace+".",
		"Left out: whether the operator's Deployment runs, because you may not list deployments in all namespaces: see the LoginSessions' status.",
		"Left out: all that needs to read Secrets, because you may not list them in this namespace.",
		"Left out: all about pods, because you may not list them in this namespace.")
}

func TestDoctorSpeaksJSON(t *testing.T) {
	s := signedIn(t)
	r := s.run("", "doctor", "-o", "json")
	s.must(r.err)
	if r.output != "[]\n" {
		t.Errorf("printed %s", r.output)
	}
	s.must(api.Delete(s.Context(), s.secret("dev-login")))
	s.await("it is reported", func() bool { return trouble(s.session("dev")) != nil })
	r = s.run("", "doctor", "-o", "json")
	var got []doctor.Finding
	s.must(json.Unmarshal([]byte(r.output), &got))
	want := doctor.Finding{Check: "session", Object: "loginsession/dev", Problem: "LoginCacheNotFound, Secret " + s.namespace + "/dev-login does not exist",
		Remedy: "sign in with `kubectl awslogin login dev -n " + s.namespace + "`"}
	if r.err == nil || len(got) != 1 || got[0] != want {
		t.Errorf("ended with %v, found %+v", r.err, got)
	}
	s.run("", "doctor", "-o", "yaml").wants(t, `error: unknown output format "yaml": there is json`)
}

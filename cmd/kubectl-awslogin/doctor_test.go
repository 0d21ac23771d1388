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

package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
)

const (
	// silence is how long an operator that runs never takes to say something.
	silence = 5 * time.Second
	// late is how much later than planned it never refreshes.
	late = time.Minute
)

func kindIsThere(e *examination) []Finding {
	if !e.noKind {
		return nil
	}
	return one("cluster", "install the operator, see its README", "it does not know LoginSession")
}

func sessionsAreReadable(e *examination) []Finding {
	if !e.forbidden {
		return nil
	}
	return one("namespace/"+e.Namespace, "ask who administers the cluster for the role view there, or name another namespace with -n",
		"you may not list LoginSessions")
}

func thereIsASession(e *examination) []Finding {
	switch {
	case e.noKind || e.forbidden || len(e.sessions) > 0:
		return nil
	case e.Name != "":
		return one("loginsession/"+e.Name, e.login(e.Name), "it does not exist in namespace %s", e.Namespace)
	}
	return one("namespace/"+e.Namespace, "sign in with `kubectl awslogin login -n "+e.Namespace+"`", "it has no LoginSession")
}

// login is the command that signs in again.
func (e *examination) login(name string) string {
	return fmt.Sprintf("sign in with `kubectl awslogin login %s -n %s`", name, e.Namespace)
}

// operatorWorks looks for Deployments where it may, and for traces of work: an operator
// that works needs no Deployment.
func operatorWorks(e *examination) []Finding {
	var findings []Finding
	for i := range e.sessions {
		if silent := e.silent(&e.sessions[i]); silent != "" {
			findings = append(findings, one("loginsession/"+e.sessions[i].Name, e.operatorRemedy(), "the operator %s", silent)...)
		}
	}
	for _, deployment := range e.deployments {
		if deployment.Status.AvailableReplicas == 0 {
			name := "deployment/" + deployment.Name
			findings = append(findings, one(name, fmt.Sprintf("see `kubectl describe %s -n %s`", name, deployment.Namespace),
				"the operator has no pod that is available in namespace %s", deployment.Namespace)...)
		}
	}
	if e.deploymentsRead && len(e.deployments) == 0 && len(e.all) == 0 && !e.noKind {
		findings = append(findings, one("cluster", "install the operator, unless it runs outside of the cluster", "no Deployment has the operator's label app.kubernetes.io/name=aws-login-operator")...)
	}
	return findings
}

// silent is what an operator that works would have done by now.
func (e *examination) silent(session *v1alpha1.LoginSession) string {
	next := session.Status.NextRefreshAt
	changed := changedAt(session)
	switch {
	case len(session.Status.Conditions) == 0 && e.now.Sub(changed) > silence:
		return "has not reported anything about it in " + e.ago(changed)
	case len(session.Status.Conditions) > 0 && session.Status.ObservedGeneration < session.Generation && e.now.Sub(changed) > silence:
		return "has not seen its last change, of " + e.ago(changed) + " ago"
	case !session.Spec.Suspend && next != nil && e.now.Sub(next.Time) > late:
		return "did not refresh it when it had planned to, " + e.ago(next.Time) + " ago"
	}
	return ""
}

// changedAt is when the spec was last written, at the latest, by the API server's clock.
func changedAt(session *v1alpha1.LoginSession) time.Time {
	changed := session.CreationTimestamp.Time
	for _, entry := range session.ManagedFields {
		if entry.Subresource == "" && entry.Time != nil && entry.Operation != "" && entry.Time.After(changed) {
			changed = entry.Time.Time
		}
	}
	return changed
}

func (e *examination) operatorRemedy() string {
	running := slices.IndexFunc(e.deployments, func(d appsv1.Deployment) bool { return d.Status.AvailableReplicas > 0 })
	switch {
	case running >= 0:
		d := e.deployments[running]
		return fmt.Sprintf("it runs, so see whether it watches this namespace, and `kubectl logs -n %s deployment/%s`", d.Namespace, d.Name)
	case e.deploymentsRead && len(e.deployments) == 0:
		return "no Deployment of it is in the cluster: install the operator, see its README"
	case e.deploymentsRead:
		return "have it run"
	}
	return "ask who administers the cluster whether it runs, and watches this namespace"
}

// personMaySignIn counts where that is what has to be done.
func personMaySignIn(e *examination) []Finding {
	needed := slices.ContainsFunc(e.report.Findings, func(f Finding) bool { return strings.Contains(f.Remedy, "kubectl awslogin login") })
	if !needed || len(e.mayNot) == 0 {
		return nil
	}
	return one("namespace/"+e.Namespace, "ask who administers the cluster for the role edit there, or have somebody else sign in",
		"you may not %s, which `kubectl awslogin login` has to", strings.Join(e.mayNot, ", nor "))
}

// expired says whether a time is there and over.
func (e *examination) expired(t *metav1.Time) bool { return t != nil && !e.now.Before(t.Time) }

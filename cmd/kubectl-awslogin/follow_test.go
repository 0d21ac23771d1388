package main

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/loginrefresh"
)

// reported is a status: which session it is about, and its conditions.
func reported(fingerprint string, startedAt time.Time, conditions ...metav1.Condition) v1alpha1.LoginSessionStatus {
	status := v1alpha1.LoginSessionStatus{Session: &v1alpha1.Session{Fingerprint: fingerprint}, Conditions: conditions}
	if !startedAt.IsZero() {
		status.Session.StartedAt = &metav1.Time{Time: startedAt}
	}
	return status
}

func TestReportsOfTheLoginBeforeDoNotCount(t *testing.T) {
	login, err := loginrefresh.Parse(aLogin())
	if err != nil {
		t.Fatal(err)
	}
	undated := *login
	undated.StartedAt = time.Time{}
	earlier := login.StartedAt.Add(-time.Hour)
	ready := metav1.Condition{Type: "Ready", Status: "True", Reason: "Refreshed", Message: "well"}
	unready := metav1.Condition{Type: "Ready", Status: "False", Reason: "RootRefused", Message: "no"}
	overdue := metav1.Condition{Type: "Ready", Status: "False", Reason: "RefreshOverdue", Message: "late"}
	stalled := metav1.Condition{Type: "Stalled", Status: "True", Reason: "RootRefused", Message: "no"}
	reconciling := metav1.Condition{Type: "Reconciling", Status: "True", Reason: "RefreshFailing", Message: "wait"}
	before := reported("old", earlier, ready)

	for name, tt := range map[string]struct {
		login  *loginrefresh.Login
		before v1alpha1.LoginSessionStatus
		status v1alpha1.LoginSessionStatus
		done   bool
		err    string
		said   string
	}{
		"nothing yet":                          {login, v1alpha1.LoginSessionStatus{}, v1alpha1.LoginSessionStatus{}, false, "", ""},
		"the login before is well":             {login, before, before, false, "", ""},
		"the login before is well and rotated": {login, before, reported("older", earlier, ready), false, "", ""},
		"the login before was refused":         {login, before, reported("old", earlier, unready, stalled), false, "", ""},
		"the new one is well":                  {login, before, reported(login.Fingerprint(), login.StartedAt, ready), true, "", "Refreshed: well"},
		"the new one is well and rotated":      {login, before, reported("new", login.StartedAt, ready), true, "", "Refreshed: well"},
		"the new one is refused":               {login, before, reported(login.Fingerprint(), login.StartedAt, unready, stalled), false, "RootRefused: no", ""},
		"the new one takes its time":           {login, before, reported(login.Fingerprint(), login.StartedAt, overdue, reconciling), false, "", "RefreshOverdue: late"},
		"undated, the login before is well":    {&undated, before, before, false, "", ""},
		"undated, the new one is well":         {&undated, before, reported(login.Fingerprint(), time.Time{}, ready), true, "", "Refreshed: well"},
		"undated, the new one has rotated":     {&undated, before, reported("new", time.Time{}, ready), true, "", "Refreshed: well"},
		"undated, the first is well":           {&undated, v1alpha1.LoginSessionStatus{}, reported("new", time.Time{}, ready), true, "", "Refreshed: well"},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(&v1alpha1.LoginSession{Status: tt.status}, tt.login, tt.before)
			problem := ""
			if got.err != nil {
				problem = got.err.Error()
			}
			if got.done != tt.done || problem != tt.err || got.said != tt.said {
				t.Errorf("judged %+v", got)
			}
		})
	}
}

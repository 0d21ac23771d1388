package main

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/fakeaws"
)

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
		"the role does not trust the person": {
			func(session *v1alpha1.LoginSession) {
				session.Spec.AssumeRole = &v1alpha1.AssumeRole{RoleARN: "arn:aws:iam::111122223333:role/reports"}
				aws.AddRole(fakeaws.Role{ARN: session.Spec.AssumeRole.RoleARN})
			}, nil, "RoleDenied",
			[]string{"loginsession/dev: RoleDenied, AWS denies " + alice + " role arn:aws:iam::111122223333:role/reports (AWS STS answered HTTP 403, AccessDenied, sts:SetSourceIdentity, request ID): " +
				"let the role's trust policy allow sts:SetSourceIdentity, or set spec.assumeRole.sourceIdentity to \"\""},
		},
		"a file cannot be made": {
			func(session *v1alpha1.LoginSession) {
				session.Spec.Target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateText{".netrc": "{{.Nothing}}"}}
			}, nil, "TemplateInvalid",
			[]string{`loginsession/dev: TemplateInvalid, Secret NAMESPACE/dev lacks what spec.target.template.data cannot make: .netrc, line 1: ".Nothing" cannot be used: ` +
				"the fields are AccessKeyID, AccountID, Expiration, ExpirationUnix, MountPath, Region, SecretAccessKey, SessionToken: " +
				"correct the template; it keeps nothing else from being published"},
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
			s.expectDiagnosis(tt.want...)
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
		"it is suspended, and was overdue before": {
			func(s *shell) {
				s.must(s.run("", "suspend").err)
				s.observed()
				s.report("dev", func(status *v1alpha1.LoginSessionStatus) {
					meta.SetStatusCondition(&status.Conditions, metav1.Condition{Type: "Ready", Status: "False", Reason: "RefreshOverdue"})
				})
			}, nil,
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

func (s *shell) report(name string, change func(*v1alpha1.LoginSessionStatus)) {
	s.Helper()
	session := s.session(name)
	before := session.DeepCopy()
	change(&session.Status)
	s.must(api.Status().Patch(s.Context(), session, client.MergeFrom(before)))
}

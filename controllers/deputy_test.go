package controllers

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"awslogin.dev/operator/api/v1alpha1"
)

// What follows is tried by somebody who may write LoginSessions, but may neither
// read nor write Secrets.

func TestSecretOfAnotherTypeIsNoLoginCache(t *testing.T) {
	for kind, needs := range map[corev1.SecretType]map[string][]byte{
		corev1.SecretTypeTLS:                 {"tls.crt": nil, "tls.key": nil},
		corev1.SecretTypeServiceAccountToken: nil,
		corev1.SecretTypeBasicAuth:           {"username": nil},
		corev1.SecretTypeDockerConfigJson:    {".dockerconfigjson": []byte("{}")},
		"bootstrap.kubernetes.io/token":      nil,
		"example.com/theirs":                 nil,
	} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t)
			secret := &corev1.Secret{ObjectMeta: objectMeta(w, "login"), Type: kind, Data: map[string][]byte{"a.json": w.aws.Login(alice).Cache()}}
			secret.Annotations = map[string]string{corev1.ServiceAccountNameKey: "default"}
			for key, value := range needs {
				secret.Data[key] = value
			}
			w.must(api.Create(w.ctx, secret))
			w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Key = "a.json" })
			w.pass(6 * time.Minute)
			w.reconcile("dev")
			w.expect("dev", "Ready", "False LoginCacheInvalid", "CredentialsValid", "False NeverPublished")
			if message := w.message("dev", "Ready"); !strings.Contains(message, string(kind)) || !strings.Contains(message, "Opaque") {
				t.Errorf("message is %q", message)
			}
			w.expectRefreshes(0)
			if w.secret("login").ResourceVersion != secret.ResourceVersion {
				t.Error("the Secret was written")
			}
		})
	}
}

func TestOwnerReferencesThatCollideMakeNoTargetOurs(t *testing.T) {
	namesake := func(change func(*metav1.OwnerReference)) func(*v1alpha1.LoginSession) []metav1.OwnerReference {
		return func(s *v1alpha1.LoginSession) []metav1.OwnerReference {
			reference := owners(s, nil)[0]
			change(&reference)
			return []metav1.OwnerReference{reference}
		}
	}
	for name, row := range map[string]struct {
		owners func(*v1alpha1.LoginSession) []metav1.OwnerReference
		kind   corev1.SecretType
	}{
		"an earlier LoginSession of this name":           {namesake(func(r *metav1.OwnerReference) { r.UID = "of-another" }), corev1.SecretTypeOpaque},
		"another LoginSession with this UID":             {namesake(func(r *metav1.OwnerReference) { r.Name = "other" }), corev1.SecretTypeOpaque},
		"another kind with this name and UID":            {namesake(func(r *metav1.OwnerReference) { r.Kind = "Login" }), corev1.SecretTypeOpaque},
		"another group with this name and UID":           {namesake(func(r *metav1.OwnerReference) { r.APIVersion = "example.com/v1alpha1" }), corev1.SecretTypeOpaque},
		"this LoginSession, but not as a controller":     {namesake(func(r *metav1.OwnerReference) { r.Controller = ptr.To(false) }), corev1.SecretTypeOpaque},
		"this LoginSession, in a Secret of another type": {namesake(func(*metav1.OwnerReference) {}), "example.com/theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn("login")
			w.session("dev", func(s *v1alpha1.LoginSession) { s.Spec.Target.SecretName = "taken" })
			theirs := &corev1.Secret{ObjectMeta: objectMeta(w, "taken"), Type: row.kind, Data: map[string][]byte{"theirs": []byte("x")}}
			theirs.OwnerReferences = row.owners(w.get("dev"))
			w.must(api.Create(w.ctx, theirs))
			w.pass(6 * time.Minute)
			w.reconcile("dev")
			w.expect("dev", "Ready", "False TargetConflict")
			if w.secret("taken").ResourceVersion != theirs.ResourceVersion {
				t.Error("their Secret was written")
			}
			w.expectRefreshes(0)
		})
	}
}

func TestNameOfALoginCacheIsNotTakenByATarget(t *testing.T) {
	w := newWorld(t)
	w.session("dev")
	w.session("squatter", func(s *v1alpha1.LoginSession) {
		s.Spec.LoginCacheSecretRef.Name, s.Spec.Target.SecretName = "theirs", "login"
	})
	w.signIn("theirs")
	wake := w.reconcile("squatter")
	w.expect("squatter", "Ready", "False TargetConflict")
	if message := w.message("squatter", "Ready"); !strings.Contains(message, "LoginSession dev expects its login cache there") || wake == 0 {
		t.Errorf("message is %q, and it looks again after %s", message, wake)
	}
	if w.secret("login") != nil {
		t.Fatal("the target was created")
	}
	w.signIn("login")
	w.reconcile("dev")
	w.expectWell("dev")
	w.reconcile("squatter")
	w.expect("squatter", "Ready", "False TargetConflict")
}

func TestTargetStaysThoughANewcomerNamesItAsItsLoginCache(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	w.session("newcomer", func(s *v1alpha1.LoginSession) { s.Spec.LoginCacheSecretRef.Name = "dev" })
	w.reconcile("newcomer")
	w.expect("newcomer", "Ready", "False LoginCacheInvalid")
	w.pass(6 * time.Minute)
	w.reconcile("dev")
	w.expectWell("dev")
}

func TestMissingTargetIsWrittenThoughANewcomerNamesItAsItsLoginCache(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	w.sessionOf("newcomer", "dev")
	w.must(api.Delete(w.ctx, w.secret("dev")))
	w.reconcile("dev")
	w.expectWell("dev")
}

// TestAnyOpaqueSecretTellsNothing: what the messages tell of a Secret is whether it
// exists, how many of its keys end in .json, and which field of a login cache is
// missing first.
func TestAnyOpaqueSecretTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.session("dev")
	for _, content := range []string{canary, `{"password": "` + canary + `"}`, `{"accessToken": "` + canary + `"}`, `{"accessToken": {"accessKeyId": "` + canary + `"}}`} {
		w.store("login", map[string][]byte{"a.json": []byte(content), "password": []byte(canary)})
		before := w.secret("login").ResourceVersion
		w.reconcile("dev")
		w.expect("dev", "Ready", "False LoginCacheInvalid")
		if told := w.message("dev", "Ready") + strings.Join(w.drain(), " "); strings.Contains(told, canary) {
			t.Errorf("content is told: %s", told)
		}
		if w.secret("login").ResourceVersion != before || w.secret("dev") != nil {
			t.Error("a Secret was written")
		}
	}
}

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

func retained(s *v1alpha1.LoginSession) {
	s.Spec.Target.DeletionPolicy = v1alpha1.DeletionPolicyRetain
}

// ourLabels are those of a target of the LoginSession dev.
func ourLabels() map[string]string {
	return map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy, v1alpha1.LoginSessionLabel: "dev"}
}

func TestTargetThatIsNotOursIsNeverTouched(t *testing.T) {
	stranger := []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "stranger", Controller: ptr.To(true)}}
	for name, row := range map[string]struct {
		target corev1.Secret
		change func(*v1alpha1.LoginSession)
	}{
		"a person's Secret":                     {target: corev1.Secret{}},
		"a Secret with our labels alone":        {target: corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: ourLabels()}}},
		"another controller's Secret":           {target: corev1.Secret{ObjectMeta: metav1.ObjectMeta{OwnerReferences: stranger}}},
		"another controller's, with our labels": {corev1.Secret{ObjectMeta: metav1.ObjectMeta{OwnerReferences: stranger, Labels: ourLabels()}}, retained},
		"a person's Secret, to be retained":     {corev1.Secret{}, retained},
		"a Secret with one label, to be retained": {corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}}}, retained},
		"a Secret of another type": {corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: ourLabels()}, Type: "example.com/mine"}, retained},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn("login")
			w.pass(10 * time.Minute) // due
			row.target.Namespace, row.target.Name = w.namespace, "dev"
			row.target.StringData = map[string]string{"mine": "yes"}
			w.must(api.Create(w.ctx, &row.target))
			before := w.secret("dev")
			if row.change == nil {
				row.change = func(*v1alpha1.LoginSession) {}
			}
			w.session("dev", row.change)
			w.reconcile("dev")

			w.expect("dev", "SessionActive", "Unknown NotTried", "CredentialsValid", "False TargetConflict",
				"Ready", "False TargetConflict", "Stalled", "True TargetConflict", "Reconciling", "")
			w.expectRefreshes(0)
			if w.secret("dev").ResourceVersion != before.ResourceVersion {
				t.Error("the Secret was written")
			}
			if message := w.message("dev", "Ready"); !strings.Contains(message, w.namespace+"/dev") {
				t.Errorf("message %q does not name the Secret", message)
			}
			expectEvents(t, w, "Warning TargetConflict")

			w.must(api.Delete(w.ctx, before))
			w.reconcile("dev")
			w.expectWell("dev")
		})
	}
}

func TestImmutableTargetIsRefusedBeforeAnythingIsSpent(t *testing.T) {
	w := due(t)
	target := w.secret("dev")
	target.Immutable = ptr.To(true)
	w.must(api.Update(w.ctx, target))
	w.reconcile("dev")
	w.expectRefreshes(0)
	w.expect("dev", "SessionActive", "True SessionActive", "CredentialsValid", "False TargetConflict",
		"Ready", "False TargetConflict", "Stalled", "True TargetConflict")
	w.must(api.Delete(w.ctx, target))
	w.reconcile("dev")
	w.expectWell("dev")
}

func TestOfTwoLoginSessionsThatNameOneTargetTheSecondIsRefused(t *testing.T) {
	for name, policy := range map[string]func(*v1alpha1.LoginSession){"deleting": func(*v1alpha1.LoginSession) {}, "retaining": retained} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn("login")
			same := func(s *v1alpha1.LoginSession) { s.Spec.Target.SecretName = "target" }
			w.session("first", same, policy)
			w.session("second", same, policy)
			w.reconcile("first")
			w.reconcile("second")
			w.expectWell("first")
			w.expect("second", "Ready", "False TargetConflict")
		})
	}
}

func TestTargetIsRestored(t *testing.T) {
	for name, harm := range map[string]func(*world, *corev1.Secret){
		"when it was deleted":        func(w *world, s *corev1.Secret) { w.must(api.Delete(w.ctx, s)) },
		"when a file was edited":     func(w *world, s *corev1.Secret) { s.Data["credentials.json"] = nil; w.must(api.Update(w.ctx, s)) },
		"when a file was added":      func(w *world, s *corev1.Secret) { s.Data["x"] = []byte("x"); w.must(api.Update(w.ctx, s)) },
		"when a label was removed":   func(w *world, s *corev1.Secret) { s.Labels = nil; w.must(api.Update(w.ctx, s)) },
		"when a note of ours is off": func(w *world, s *corev1.Secret) { s.Annotations = nil; w.must(api.Update(w.ctx, s)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn("login")
			w.session("dev")
			w.reconcile("dev")
			before := w.secret("dev")
			harm(w, w.secret("dev"))
			w.reconcile("dev")
			after := w.secret("dev")
			if after == nil || string(after.Data["credentials.json"]) != string(before.Data["credentials.json"]) ||
				len(after.Data) != len(before.Data) || len(after.Labels) != 2 || after.Annotations[reloaderIgnore] != "true" {
				t.Error("the target is not as it was")
			}
			w.expectWell("dev")
			w.expectRefreshes(0)
		})
	}
}

func TestOtherPeoplesLabelsOfTheTargetStay(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	wake := w.reconcile("dev")
	target := w.secret("dev")
	target.Labels["team"], target.Annotations["note"] = "a", "b"
	w.must(api.Update(w.ctx, target))
	w.sleep(wake, "dev")
	if after := w.secret("dev"); after.Labels["team"] != "a" || after.Annotations["note"] != "b" {
		t.Errorf("labels %v, annotations %v", after.Labels, after.Annotations)
	}
}

func TestDeletionPolicy(t *testing.T) {
	owned := func(w *world) bool {
		controller := metav1.GetControllerOf(w.secret("dev"))
		return controller != nil && controller.UID == w.get("dev").UID && controller.Kind == "LoginSession"
	}
	w := newWorld(t)
	w.signIn("login")
	w.session("dev")
	w.reconcile("dev")
	if !owned(w) {
		t.Error("with Delete, the LoginSession does not own its target")
	}
	w.change("dev", retained)
	w.reconcile("dev")
	w.expectWell("dev")
	if owned(w) || len(w.secret("dev").OwnerReferences) > 0 {
		t.Error("with Retain, the target would be deleted with the LoginSession")
	}
	w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Target.DeletionPolicy = v1alpha1.DeletionPolicyDelete })
	w.reconcile("dev")
	w.expectWell("dev")
	if !owned(w) {
		t.Error("back at Delete, the LoginSession does not own its target")
	}
}

func TestRetainedTargetIsTakenUpByALoginSessionOfTheSameName(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev", retained)
	w.reconcile("dev")
	w.must(api.Delete(w.ctx, w.get("dev")))
	w.awaitGone("dev")
	_, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
	w.must(err)
	if w.secret("dev") == nil {
		t.Fatal("the target was not retained")
	}
	w.session("dev", retained)
	w.reconcile("dev")
	w.expectWell("dev")
}

func TestSpecDecidesWhatIsPublished(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev", func(s *v1alpha1.LoginSession) {
		s.Spec.Region = "ap-northeast-1"
		s.Spec.Target.MountPath = "/aws"
		s.Spec.Target.Formats = []v1alpha1.TargetFormat{v1alpha1.CredentialProcess}
	})
	w.reconcile("dev")
	want := "[default]\ncredential_process = cat /aws/credentials.json\nregion = ap-northeast-1\n"
	if got := string(w.secret("dev").Data["config"]); got != want {
		t.Errorf("config is %q", got)
	}
	w.change("dev", func(s *v1alpha1.LoginSession) {
		s.Spec.Target.Formats = []v1alpha1.TargetFormat{v1alpha1.Environment}
	})
	w.reconcile("dev")
	if data := w.secret("dev").Data; data["config"] != nil || string(data["AWS_REGION"]) != "ap-northeast-1" {
		t.Errorf("target has keys %d", len(data))
	}
	if w.get("dev").Status.ObservedGeneration != 2 {
		t.Error("the new generation was not observed")
	}
}

// TestTargetIsNotCreatedForALoginSessionThatIsGone: nobody would delete it, where it
// is to be retained.
func TestTargetIsNotCreatedForALoginSessionThatIsGone(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev", retained)
	w.pass(w.reconcile("dev"))
	before := w.stored("login").Fingerprint()
	w.hooks.answered = func() {
		w.must(api.Delete(w.ctx, w.get("dev")))
		w.must(api.Delete(w.ctx, w.secret("dev")))
	}
	_, err := w.operator.Reconcile(w.ctx, requestFor(w, "dev"))
	w.must(err)
	if w.stored("login").Fingerprint() == before {
		t.Error("the rotation was not written back")
	}
	if w.secret("dev") != nil {
		t.Error("the target was created again")
	}
}

package controllers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/internal/awsfiles"
	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
)

const (
	netrc  = "machine s3 login {{.AccessKeyID}} password {{.SecretAccessKey}}"
	broken = "{{.Password}}"
)

// templated gives a LoginSession a template, in place of the one before.
func templated(template v1alpha1.TargetTemplate) func(*v1alpha1.LoginSession) {
	return func(s *v1alpha1.LoginSession) { s.Spec.Target.Template = &template }
}

func filesFrom(files map[string]v1alpha1.TemplateText) func(*v1alpha1.LoginSession) {
	return templated(v1alpha1.TargetTemplate{Data: files})
}

// expectNetrc says that the target's .netrc has the credentials of the login cache.
func expectNetrc(w *world) {
	w.Helper()
	credentials := w.stored("login").Credentials
	want := "machine s3 login " + credentials.AccessKeyID + " password " + credentials.SecretAccessKey
	if got := string(w.secret("dev").Data[".netrc"]); got != want {
		w.Errorf(".netrc is %q, want %q", got, want)
	}
}

func TestFilesOfATemplateFollowTheCredentials(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	w.session("dev", filesFrom(map[string]v1alpha1.TemplateText{
		".netrc": netrc, "credentials.auto.tfvars.json": `{"aws_token": {{json .SessionToken}}}`,
	}))
	wake := w.reconcile("dev")
	w.expectWell("dev")
	expectNetrc(w)
	first := w.secret("dev")
	if first.Data["credentials.json"] == nil {
		t.Error("the files of the formats are missing")
	}
	w.sleep(wake, "dev")
	w.expectRefreshes(1)
	w.expectWell("dev")
	expectNetrc(w)
	var variables map[string]string
	w.must(json.Unmarshal(w.secret("dev").Data["credentials.auto.tfvars.json"], &variables))
	if variables["aws_token"] != w.stored("login").Credentials.SessionToken {
		t.Errorf("variables are %v", variables)
	}
	if string(w.secret("dev").Data[".netrc"]) == string(first.Data[".netrc"]) {
		t.Error("the rotation did not reach the file")
	}
	before := w.secret("dev").ResourceVersion
	w.restart()
	w.reconcile("dev")
	if w.secret("dev").ResourceVersion != before {
		t.Error("a restart published something new")
	}
}

func TestTemplateThatIsInvalidLeavesOutItsFileAlone(t *testing.T) {
	for name, text := range map[string]v1alpha1.TemplateText{
		"that does not parse":            "{{.SecretAccessKey",
		"with an unknown field":          broken,
		"with a loop":                    "{{range .SessionToken}}{{.}}{{end}}",
		"that would print what it wants": `{{printf "%d" .SecretAccessKey}}`,
		"that reads a part of a value":   "{{slice .SecretAccessKey 0 9999}}",
		"of too large a file":            v1alpha1.TemplateText(strings.Repeat("{{.SessionToken}}", 450)),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn("login")
			w.session("dev")
			w.reconcile("dev")
			w.drain()
			w.change("dev", filesFrom(map[string]v1alpha1.TemplateText{"bad.conf": text, ".netrc": netrc}))
			wake := w.reconcile("dev")
			expectInvalid := func() {
				t.Helper()
				w.expect("dev", "Ready", "False TemplateInvalid", "SessionActive", "True SessionActive",
					"CredentialsValid", "True Published", "Stalled", "True TemplateInvalid", "Reconciling", "")
				expectNetrc(w)
				if data := w.secret("dev").Data; data["bad.conf"] != nil || !strings.Contains(string(data["credentials.json"]), w.stored("login").Credentials.AccessKeyID) {
					t.Errorf("target has %d files", len(data))
				}
			}
			expectInvalid()
			if message := w.message("dev", "Ready"); !strings.Contains(message, "bad.conf, ") || !strings.Contains(message, w.namespace+"/dev") {
				t.Errorf("message is %q", message)
			}
			told := w.drain()
			if len(told) != 1 || !strings.HasPrefix(told[0], "Warning TemplateInvalid") {
				t.Errorf("events are %q", told)
			}
			w.sleep(wake, "dev") // the session is refreshed all the same
			w.expectRefreshes(1)
			expectInvalid()
			expectNoValues(w, fmt.Sprint(w.get("dev").Status.Conditions, told))

			w.change("dev", filesFrom(map[string]v1alpha1.TemplateText{"bad.conf": "{{.Region}}", ".netrc": netrc}))
			w.reconcile("dev")
			w.expectWell("dev")
			if _, there := w.secret("dev").Data["bad.conf"]; !there {
				t.Error("the corrected file is missing")
			}
		})
	}
}

func expectNoValues(w *world, told string) {
	w.Helper()
	credentials := w.stored("login").Credentials
	for _, value := range []string{credentials.SecretAccessKey, credentials.SessionToken} {
		if strings.Contains(told, value[:16]) {
			w.Errorf("a value is told: %s", told)
		}
	}
}

func TestEveryInvalidTemplateIsNamed(t *testing.T) {
	w := newWorld(t)
	w.signIn("login")
	files := map[string]v1alpha1.TemplateText{}
	for i := range 16 {
		files[fmt.Sprintf("file-%02d", i)] = v1alpha1.TemplateText("\n\n{{" + strings.Repeat("x", 8000) + "}}")
	}
	w.session("dev", filesFrom(files))
	w.reconcile("dev")
	w.expect("dev", "Ready", "False TemplateInvalid", "CredentialsValid", "True Published")
	message := w.message("dev", "Ready")
	for name := range files {
		if !strings.Contains(message, name+", line 3: ") {
			t.Errorf("%s is not named", name)
		}
	}
	if len(message) > 8<<10 {
		t.Errorf("the message has %d bytes", len(message))
	}
}

func TestInvalidTemplateIsToldBesideOtherTroubles(t *testing.T) {
	t.Run("one that passes", func(t *testing.T) {
		w := due(t)
		w.change("dev", filesFrom(map[string]v1alpha1.TemplateText{"bad.conf": broken}))
		w.aws.Inject(fakeaws.ServerError())
		wake := w.reconcile("dev")
		w.expect("dev", "Ready", "False TemplateInvalid", "Reconciling", "True RefreshFailing", "Stalled", "")
		w.sleep(wake, "dev")
		w.expect("dev", "Ready", "False TemplateInvalid", "Reconciling", "", "Stalled", "True TemplateInvalid")
	})
	t.Run("a target that cannot be written", func(t *testing.T) {
		w := due(t)
		w.change("dev", filesFrom(map[string]v1alpha1.TemplateText{"bad.conf": broken}))
		w.hooks.beforeUpdate = func(object client.Object) error {
			if object.GetName() == "dev" {
				return errors.New("no")
			}
			return nil
		}
		w.reconcile("dev")
		w.expect("dev", "Ready", "False TemplateInvalid", "Reconciling", "True PublishFailed", "Stalled", "")
	})
	t.Run("a session that is over", func(t *testing.T) {
		w := due(t)
		w.change("dev", filesFrom(map[string]v1alpha1.TemplateText{"bad.conf": broken}))
		w.aws.EndSession(alice)
		w.reconcile("dev")
		w.expect("dev", "Ready", "False ReloginRequired", "SessionActive", "False ReloginRequired", "Stalled", "True ReloginRequired")
	})
}

func theirs(w *world) {
	w.Helper()
	target := w.secret("dev")
	target.Labels["theirs"], target.Annotations["theirs"] = "a", "b"
	w.must(api.Update(w.ctx, target))
}

func TestTemplateThatIsRemovedTakesAllOfItsOwnAlong(t *testing.T) {
	everything := v1alpha1.TargetTemplate{
		Labels:      map[string]v1alpha1.LabelValue{"team": "data", "example.com/tier": "dev"},
		Annotations: map[string]v1alpha1.AnnotationValue{"example.com/note": "two words, and more", "owner": "me"},
		Data:        map[string]v1alpha1.TemplateText{".netrc": netrc},
	}
	for name, less := range map[string]v1alpha1.TargetTemplate{
		"in part": {Labels: map[string]v1alpha1.LabelValue{"team": "other"}, Annotations: map[string]v1alpha1.AnnotationValue{"owner": ""}},
		"wholly":  {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn("login")
			w.session("dev")
			w.reconcile("dev")
			plain := w.secret("dev")
			w.change("dev", templated(everything))
			w.reconcile("dev")
			theirs(w)
			w.reconcile("dev")
			w.expectWell("dev")
			expectMetadata(w, plain, everything)
			expectNetrc(w)

			w.change("dev", templated(less))
			w.reconcile("dev")
			w.expectWell("dev")
			expectMetadata(w, plain, less)
			if !maps.EqualFunc(w.secret("dev").Data, plain.Data, func(a, b []byte) bool { return string(a) == string(b) }) {
				t.Error("the files are not those of the formats")
			}
			w.change("dev", func(s *v1alpha1.LoginSession) { s.Spec.Target.Template = nil })
			w.reconcile("dev")
			expectMetadata(w, plain, v1alpha1.TargetTemplate{})
		})
	}
}

// expectMetadata says that the target has what it had without a template, what the
// template gives with a list of it, and what is theirs.
func expectMetadata(w *world, plain *corev1.Secret, template v1alpha1.TargetTemplate) {
	w.Helper()
	labels := with(with(plain.Labels, texts(template.Labels)), map[string]string{"theirs": "a"})
	annotations := with(with(plain.Annotations, texts(template.Annotations)), map[string]string{"theirs": "b"})
	for name, list := range map[string]string{
		templateLabels:      strings.Join(slices.Sorted(maps.Keys(template.Labels)), ","),
		templateAnnotations: strings.Join(slices.Sorted(maps.Keys(template.Annotations)), ","),
	} {
		if list != "" {
			annotations[name] = list
		}
	}
	if target := w.secret("dev"); !maps.Equal(target.Labels, labels) || !maps.Equal(target.Annotations, annotations) {
		w.Errorf("labels %v, annotations %v, want %v, %v", target.Labels, target.Annotations, labels, annotations)
	}
}

func TestTargetOfATemplateIsRestored(t *testing.T) {
	for name, harm := range map[string]func(*corev1.Secret){
		"when its file was edited":      func(s *corev1.Secret) { s.Data[".netrc"] = []byte("x") },
		"when its file was removed":     func(s *corev1.Secret) { delete(s.Data, ".netrc") },
		"when its label was changed":    func(s *corev1.Secret) { s.Labels["team"] = "other" },
		"when its label was removed":    func(s *corev1.Secret) { delete(s.Labels, "team") },
		"when the list was removed":     func(s *corev1.Secret) { delete(s.Annotations, templateLabels) },
		"when the list names our label": func(s *corev1.Secret) { s.Annotations[templateLabels] = v1alpha1.ManagedByLabel + ",team" },
		"when the list names a note of ours": func(s *corev1.Secret) {
			s.Annotations[templateAnnotations] = strings.Join([]string{reloaderIgnore, uidAnnotation, templateLabels}, ",")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn("login")
			w.session("dev", templated(v1alpha1.TargetTemplate{
				Labels: map[string]v1alpha1.LabelValue{"team": "data"}, Data: map[string]v1alpha1.TemplateText{".netrc": netrc}}))
			w.reconcile("dev")
			before := w.secret("dev")
			harmed := w.secret("dev")
			harm(harmed)
			w.must(api.Update(w.ctx, harmed))
			w.reconcile("dev")
			w.expectWell("dev")
			expectNetrc(w)
			if after := w.secret("dev"); !maps.Equal(after.Labels, before.Labels) || !maps.Equal(after.Annotations, before.Annotations) {
				t.Errorf("labels %v, annotations %v", after.Labels, after.Annotations)
			}
		})
	}
}

// TestFileOfAFormatCannotBeTemplated tries every file that any format writes.
func TestFileOfAFormatCannotBeTemplated(t *testing.T) {
	w := newWorld(t)
	in := awsfiles.Input{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c", LoginSession: alice, Region: "us-east-1"}
	for format := range awsfiles.Formats {
		files, err := awsfiles.Render(in, []string{format})
		w.must(err)
		for name := range files {
			session := &v1alpha1.LoginSession{ObjectMeta: objectMeta(w, "dev")}
			session.Spec.LoginCacheSecretRef.Name = "login"
			filesFrom(map[string]v1alpha1.TemplateText{name: "mine"})(session)
			if err := api.Create(w.ctx, session, client.DryRunAll); err == nil || !strings.Contains(err.Error(), "spec.target.template.data: Invalid value") {
				t.Errorf("%s of %s: %v", name, format, err)
			}
		}
	}
}

func TestDocumentedTemplatesAreValid(t *testing.T) {
	text := ""
	for _, file := range []string{"docs/loginsession.md", "config/samples/loginsession_full.yaml"} {
		content, err := os.ReadFile(filepath.Join(controlplane.Root(), file))
		if err != nil {
			t.Fatal(err)
		}
		text += "\n```\n" + string(content)
	}
	found := 0
	for block := range strings.SplitSeq(text, "```") {
		_, manifest, isManifest := strings.Cut(block, "apiVersion:")
		if !isManifest {
			continue
		}
		session := &v1alpha1.LoginSession{}
		if err := yaml.UnmarshalStrict([]byte("apiVersion:"+manifest), session); err != nil {
			t.Fatal(err)
		}
		for name, text := range templateOf(session).Data {
			found++
			file, err := awsfiles.Template(awsfiles.Input{SecretAccessKey: "a\"b", Region: session.Spec.Region}, string(text))
			if err != nil || (strings.HasSuffix(name, ".json") && !json.Valid(file)) {
				t.Errorf("%s of LoginSession %s is %s: %v", name, session.Name, file, err)
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d templates were found", found)
	}
}

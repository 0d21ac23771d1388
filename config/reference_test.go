package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
)

// section is the part of a page below a heading, up to the next one.
func section(t *testing.T, page, title string) string {
	t.Helper()
	_, text, found := strings.Cut(page, title+"\n")
	if !found {
		t.Errorf("there is no heading %q", title)
	}
	text, _, _ = strings.Cut(text, "\n#")
	return text
}

// apiReference is docs/api.md with its texts as they were before they were escaped.
func apiReference(t *testing.T) string {
	t.Helper()
	page := read(t, filepath.Join(controlplane.Root(), "docs", "api.md"))
	return strings.NewReplacer("&lt;", "<", `\|`, "|", `\*`, "*", "<br>", " ").Replace(page)
}

func TestAPIReferenceDescribesEveryField(t *testing.T) {
	page := apiReference(t)
	for _, object := range within("loginsession", loginSession(t)) {
		title := "\n### " + strings.TrimPrefix(object.path, "loginsession.")
		if object.path == "loginsession" {
			title = "\n## LoginSession"
		}
		if len(object.Properties) == 0 {
			continue
		}
		fields := section(t, page, title)
		for name, property := range object.Properties {
			if !strings.Contains(fields, "\n| `"+name+"` ") || !strings.Contains(fields, flat(property.Description)) {
				t.Errorf("%s.%s is not there, or described otherwise: make api.md", object.path, name)
			}
		}
	}
}

func TestAPIReferenceHasEveryReason(t *testing.T) {
	page := apiReference(t)
	listed := section(t, page, "\n## Reasons of conditions") + section(t, page, "\n## Reasons of events alone")
	for _, reason := range reasons(t) {
		if !strings.Contains(listed, "\n- `"+reason+"`: ") {
			t.Errorf("%s is not there: make api.md", reason)
		}
	}
}

func TestExamplesOfEveryFieldHaveEveryField(t *testing.T) {
	_, text, _ := strings.Cut(read(t, filepath.Join(controlplane.Root(), "docs", "loginsession.md")), "\nEvery field:\n")
	for name, manifest := range map[string]string{
		"docs/loginsession.md":   yamlBlock.FindStringSubmatch(text)[1],
		"loginsession_full.yaml": read(t, "samples/loginsession_full.yaml"),
	} {
		var example struct{ Spec map[string]any }
		if err := yaml.Unmarshal([]byte(manifest), &example); err != nil {
			t.Fatal(err)
		}
		without(t, name+": spec", loginSession(t).Properties["spec"], example.Spec)
	}
}

// without complains of fields that a value does not have.
func without(t *testing.T, path string, s schema, value any) {
	t.Helper()
	fields, _ := value.(map[string]any)
	for name, property := range s.Properties {
		if _, ok := fields[name]; !ok {
			t.Errorf("%s.%s is not there", path, name)
		}
		without(t, path+"."+name, property, fields[name])
	}
}

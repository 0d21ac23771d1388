package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
)

// template is what a person writes of one.
func template(text string) string { return cacheRef + "target: {template: {" + text + "}}" }

// many is a map of so many entries, in YAML.
func many(entries int) string {
	var all strings.Builder
	for i := range entries {
		fmt.Fprintf(&all, "a-%d: a, ", i)
	}
	return "{" + all.String() + "}"
}

func TestTargetTemplateIsAccepted(t *testing.T) {
	for name, text := range map[string]string{
		"of nothing":                      "",
		"with labels":                     "labels: {team: data, example.com/cost-center: '42', a.b-c_D: '', app.kubernetes.io/name: x}",
		"with annotations":                `annotations: {note: "anything at all, ü\n", example.com/x: ""}`,
		"with files":                      "data: {.netrc: '{{.Region}}', a_B-1.tfvars.json: '', my-file: '{{', ._-: ''}",
		"with a label of 63 characters":   "labels: {" + strings.Repeat("k", 63) + ": " + strings.Repeat("v", 63) + "}",
		"with 16 of each":                 "labels: " + many(16) + ", annotations: " + many(16) + ", data: " + many(16),
		"of 8192 characters":              "data: {a.b: " + strings.Repeat("ü", 8192) + "}",
		"with a key of 253 characters":    "data: {." + strings.Repeat("k", 252) + ": a}",
		"with a file almost of a format":  "data: {config.json: a, my-credentials: a, " + strings.Repeat("0", 63) + ".json: a}",
		"with an almost reserved label":   "labels: {awslogin.dev.example.com/a: b, app.kubernetes.io/managed-by-whom: c}",
		"with a note of 2048 characters":  "annotations: {a: " + strings.Repeat("ü", 2048) + "}",
		"with a domain of several labels": "annotations: {a.b-1.example.com/X: z}",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := apply(t, manifest("dev", template(text))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTargetTemplateIsRefused(t *testing.T) {
	const (
		badKey    = "must be at most 63 letters, digits"
		reserved  = "are not yours to set: remove them"
		badFile   = "must be a key of a Secret"
		variable  = "must have a '.' or a '-'"
		ofAFormat = "are files of spec.target.formats: choose another key"
	)
	for name, row := range map[string]struct{ text, says string }{
		"with a misspelt field":                {"stringData: {}", `unknown field "spec.target.template.stringData"`},
		"with 17 labels":                       {"labels: " + many(17), "must have at most 16 items"},
		"with 17 annotations":                  {"annotations: " + many(17), "must have at most 16 items"},
		"with 17 files":                        {"data: " + many(17), "must have at most 16 items"},
		"with a label's key with a space":      {"labels: {a b: c}", badKey},
		"with a label's key of 64 characters":  {"labels: {" + strings.Repeat("k", 64) + ": v}", badKey},
		"with a label's key that is empty":     {`labels: {"": v}`, badKey},
		"with a label's key without a name":    {"labels: {example.com/: v}", badKey},
		"with a label's key with two slashes":  {"labels: {a/b/c: v}", badKey},
		"with a label's key with a comma":      {`labels: {"a,b": v}`, badKey},
		"with a label's domain in upper case":  {"labels: {Example.com/a: v}", badKey},
		"with a label's domain too long":       {"labels: {" + strings.Repeat("d", 252) + "/a: v}", badKey},
		"with a label's value with a space":    {"labels: {a: b c}", "with a letter or digit at either end"},
		"with a label's value with a dash":     {"labels: {a: b-}", "with a letter or digit at either end"},
		"with a label's value too long":        {"labels: {a: " + strings.Repeat("v", 64) + "}", "may not be more than 63"},
		"with an annotation's key with a #":    {`annotations: {"a#b": c}`, badKey},
		"with an annotation that is too long":  {"annotations: {a: " + strings.Repeat("v", 2049) + "}", "may not be more than 2048"},
		"with a label of ours":                 {"labels: {awslogin.dev/login-session: other}", reserved},
		"with the label of who manages it":     {"labels: {app.kubernetes.io/managed-by: other}", reserved},
		"with an annotation of ours":           {"annotations: {awslogin.dev/login-session-uid: other}", reserved},
		"with our list of its annotations":     {"annotations: {awslogin.dev/template-annotations: a}", reserved},
		"with the annotation for Reloader":     {"annotations: {reloader.stakater.com/ignore: 'false'}", reserved},
		"with the annotation of kubectl apply": {"annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}'}", reserved},
		"with a file's key that is a path":     {"data: {a/b.c: d}", badFile},
		"with a file's key that goes up":       {"data: {..: a}", badFile},
		"with a file's key like a kubelet's":   {"data: {..data: a}", badFile},
		"with a file's key that is a folder":   {"data: {.: a}", badFile},
		"with a file's key that is empty":      {`data: {"": a}`, badFile},
		"with a file's key of 254 characters":  {"data: {." + strings.Repeat("k", 253) + ": a}", badFile},
		"with a file too long":                 {"data: {a.b: " + strings.Repeat("v", 8193) + "}", "may not be more than 8192"},
		"with a variable for a loader":         {"data: {LD_PRELOAD: /tmp/a}", variable},
		"with a variable for AWS SDKs":         {"data: {AWS_ENDPOINT_URL: a}", variable},
		"with the file of CredentialProcess":   {"data: {credentials.json: a}", ofAFormat},
		"with the config of CredentialProcess": {"data: {config: a}", variable},
		"with the file of LoginCache":          {"data: {" + strings.Repeat("0a", 32) + ".json: a}", ofAFormat},
		"with the config of LoginCache":        {"data: {login-config: a}", ofAFormat},
		"with the file of SharedCredentials":   {"data: {credentials: a}", variable},
		"with a value that is no text":         {"data: {a.b: 1}", "must be of type string"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := apply(t, manifest("dev", template(row.text))); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("error is %v, want one that says %q", err, row.says)
			}
		})
	}
}

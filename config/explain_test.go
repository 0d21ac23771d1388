package config_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

type schema = apiextensionsv1.JSONSchemaProps

// described is what kubectl explain says of a field: its own description, or that of the
// items of a list or the values of a map.
type described struct {
	path string
	schema
}

// loginSession is the schema of a LoginSession, of whose own fields Kubernetes
// describes all but spec and status.
func loginSession(t *testing.T) schema {
	t.Helper()
	definitions := objects[apiextensionsv1.CustomResourceDefinition](t, kustomize(t, "crd"), "CustomResourceDefinition")
	if len(definitions) != 1 {
		t.Fatalf("there are %d CRDs", len(definitions))
	}
	whole := *definitions[0].Spec.Versions[0].Schema.OpenAPIV3Schema
	maps.DeleteFunc(whole.Properties, func(name string, _ schema) bool { return name != "spec" && name != "status" })
	return whole
}

// within are a field and all below it. The conditions' own fields are Kubernetes'.
func within(path string, s schema) []described {
	found := []described{{path, s}}
	if path == "loginsession.status.conditions" {
		return found
	}
	for name, property := range s.Properties {
		found = append(found, within(path+"."+name, property)...)
	}
	if s.Items != nil {
		found = append(found, within(path+"[]", *s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil {
		found = append(found, within(path+"{}", *s.AdditionalProperties.Schema)...)
	}
	return found
}

var defaultPart = regexp.MustCompile(`[^\[\]{}",]+`)

// facts are what a description has to mention, because kubectl explain does not show it:
// limits, and the values of a list. The default comes first, after the word.
func facts(s schema) (byDefault, others []string) {
	if s.Default != nil {
		byDefault = defaultPart.FindAllString(string(s.Default.Raw), -1)
	}
	for _, limit := range []*float64{s.Minimum, s.Maximum} {
		if limit != nil {
			others = append(others, fmt.Sprint(*limit))
		}
	}
	for _, limit := range []*int64{s.MinItems, s.MaxItems, s.MaxProperties} {
		if limit != nil {
			others = append(others, fmt.Sprint(*limit))
		}
	}
	values := s.Enum
	if s.Items != nil {
		values = s.Items.Schema.Enum
	}
	for _, value := range values {
		others = append(others, strings.Trim(string(value.Raw), `"`))
	}
	return byDefault, others
}

func TestEveryFieldIsDescribedWithItsDefaultAndItsLimits(t *testing.T) {
	fields := within("loginsession", loginSession(t))
	if len(fields) < 40 {
		t.Fatalf("there are only %d fields", len(fields))
	}
	for _, field := range fields {
		description := flat(field.Description)
		first, _, _ := strings.Cut(description, ". ")
		if len(first) < 15 || len(first) > 130 || !strings.HasSuffix(description, ".") {
			t.Errorf("%s is not described in sentences of which the first is short: %q", field.path, description)
		}
		byDefault, others := facts(field.schema)
		_, afterDefault, _ := strings.Cut(description, "default ")
		mentions(t, field.path, afterDefault, byDefault)
		if !strings.HasSuffix(field.path, "[]") { // the list mentions it
			mentions(t, field.path, description, others)
		}
		if strings.HasSuffix(field.path, "{}") && field.MaxLength != nil {
			mentions(t, field.path, description, []string{fmt.Sprint(*field.MaxLength)})
		}
	}
}

func mentions(t *testing.T, field, description string, facts []string) {
	t.Helper()
	for _, fact := range facts {
		if !regexp.MustCompile(`(^|\W)` + regexp.QuoteMeta(fact) + `(\W|$)`).MatchString(description) {
			t.Errorf("%s does not mention %s: %q", field, fact, description)
		}
	}
}

func TestEveryFieldThatMayBeLeftOutSaysWhatItIsByDefault(t *testing.T) {
	for _, object := range within("loginsession.spec", loginSession(t).Properties["spec"]) {
		for name, property := range object.Properties {
			if !slices.Contains(object.Required, name) {
				mentions(t, object.path+"."+name, strings.ToLower(flat(property.Description)), []string{"by default"})
			}
		}
	}
}

// waitForSchema waits for the API server to publish the schema, which takes it a moment.
func waitForSchema(t *testing.T) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		document, err := clientset.RESTClient().Get().AbsPath("/openapi/v3/apis/awslogin.dev/v1alpha1").DoRaw(ctx)
		return bytes.Contains(document, []byte("LoginSession")), client.IgnoreNotFound(err)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// explainedKind is how kubectl explain names what a field has.
func explainedKind(s schema) string {
	switch {
	case s.Items != nil:
		return "[]" + explainedKind(*s.Items.Schema)
	case s.AdditionalProperties != nil:
		return "map[string]" + explainedKind(*s.AdditionalProperties.Schema)
	case s.Type == "object":
		return "Object"
	}
	return s.Type
}

// explainedLine is what kubectl explain says of a field before it describes it.
func explainedLine(name string, of, field schema) string {
	text := name + " <" + explainedKind(field) + ">"
	if slices.Contains(of.Required, name) {
		text += " -required-"
	}
	if field.Enum != nil {
		var values []string
		for _, value := range field.Enum {
			values = append(values, strings.Trim(string(value.Raw), `"`))
		}
		text += " enum: " + strings.Join(values, ", ")
	}
	return text
}

// flat is a text without its line breaks and indentation.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestKubectlExplainsEveryField(t *testing.T) {
	waitForSchema(t)
	for _, field := range within("loginsession", loginSession(t)) {
		if len(field.Properties) == 0 {
			continue
		}
		t.Run(field.path, func(t *testing.T) {
			printed, _ := kubectl(t, nil, "explain", field.path)
			explained := flat(string(printed))
			if !strings.Contains(explained, "DESCRIPTION: "+flat(field.Description)+" FIELDS: ") {
				t.Errorf("it does not say %q:\n%s", field.Description, printed)
			}
			for name, property := range field.Properties {
				if want := explainedLine(name, field.schema, property) + " " + flat(property.Description); !strings.Contains(explained, want) {
					t.Errorf("it does not say %q:\n%s", want, printed)
				}
			}
		})
	}
}

// explainedTree is what kubectl explain --recursive prints below a field.
func explainedTree(s schema) string {
	if s.Items != nil {
		s = *s.Items.Schema
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		lines = append(lines, explainedLine(name, s, s.Properties[name]), explainedTree(s.Properties[name]))
	}
	return flat(strings.Join(lines, " "))
}

func TestKubectlExplainsAllFieldsAtOnce(t *testing.T) {
	waitForSchema(t)
	printed, _ := kubectl(t, nil, "explain", "loginsession", "--recursive")
	if want := explainedTree(loginSession(t)); !strings.HasSuffix(flat(string(printed)), want) {
		t.Errorf("it does not end with\n%s\nbut is\n%s", want, printed)
	}
}

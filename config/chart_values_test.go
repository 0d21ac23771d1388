package config_test

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
)

var update = flag.Bool("update", false, "write the chart's table of values anew")

// chartValues reads a file of values.
func chartValues(t *testing.T, path string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(chartFolder, path))), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// schemaPaths are the values that the schema knows, as a.b.
func schemaPaths(t *testing.T) []string {
	t.Helper()
	type node struct {
		Ref        string `json:"$ref"`
		Properties map[string]node
	}
	var schema struct {
		node
		Definitions map[string]node
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(chartFolder, "values.schema.json"))), &schema); err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(prefix string, properties map[string]node)
	walk = func(prefix string, properties map[string]node) {
		for name, property := range properties {
			if property.Ref != "" {
				property = schema.Definitions[strings.TrimPrefix(property.Ref, "#/definitions/")]
			}
			if property.Properties == nil {
				found = append(found, prefix+name)
			}
			walk(prefix+name+".", property.Properties)
		}
	}
	walk("", schema.Properties)
	// Helm gives it to charts that are part of another.
	return slices.DeleteFunc(slices.Sorted(slices.Values(found)), func(path string) bool { return path == "global" })
}

var (
	valueLine = regexp.MustCompile(`^( *)([A-Za-z]+):`)
	table     = regexp.MustCompile(`(?s)\| value \| default \| meaning \|\n\|---\|---\|---\|\n(\|[^\n]*\n)*`)
)

// describedValues are the comments in values.yaml, by the path of the value below, in
// the order that they have there.
func describedValues(t *testing.T) (paths []string, descriptions map[string]string) {
	t.Helper()
	descriptions = map[string]string{}
	var parents []string
	comment := ""
	for line := range strings.Lines(read(t, filepath.Join(chartFolder, "values.yaml"))) {
		if text, found := strings.CutPrefix(strings.TrimSpace(line), "# "); found {
			comment = text
			continue
		}
		if key := valueLine.FindStringSubmatch(line); key != nil {
			parents = append(parents[:min(len(key[1])/2, len(parents))], key[2])
			if path := strings.Join(parents, "."); comment != "" {
				paths = append(paths, path)
				descriptions[path] = comment
			}
		}
		comment = ""
	}
	return paths, descriptions
}

// TestChartsTableOfValues: README.md has what values.yaml says, and that what the
// schema allows.
func TestChartsTableOfValues(t *testing.T) {
	paths, descriptions := describedValues(t)
	if known := schemaPaths(t); !slices.Equal(known, slices.Sorted(maps.Keys(descriptions))) {
		t.Errorf("the schema has\n%v, and values.yaml describes\n%v", known, slices.Sorted(maps.Keys(descriptions)))
	}
	defaults := chartValues(t, "values.yaml")
	want := "| value | default | meaning |\n|---|---|---|\n"
	for _, path := range paths {
		value, _, err := unstructured.NestedFieldNoCopy(defaults, strings.Split(path, ".")...)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(value)
		shown := "`" + string(text) + "`"
		if len(shown) > 80 {
			shown = "see [values.yaml](values.yaml)"
		}
		want += "| `" + path + "` | " + shown + " | " + descriptions[path] + " |\n"
	}
	page := filepath.Join(chartFolder, "README.md")
	content := read(t, page)
	if table.FindString(content) == want {
		return
	}
	if !*update {
		t.Fatalf("README.md has another table: write it anew with `go test ./config -run %s -update`. It should be\n%s", t.Name(), want)
	}
	content = table.ReplaceAllLiteralString(content, want)
	if err := os.WriteFile(page, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestChartsEveryValueIsTried: the one set of values has all of them, so that the API
// server and the operator judge what each becomes.
func TestChartsEveryValueIsTried(t *testing.T) {
	set := chartValues(t, "ci/hardened-values.yaml")
	for _, path := range schemaPaths(t) {
		if _, found, _ := unstructured.NestedFieldNoCopy(set, strings.Split(path, ".")...); !found {
			t.Errorf("%s is not set in ci/hardened-values.yaml", path)
		}
	}
}

// TestChartRefusesValues by the schema, and where that cannot say it clearly, by itself.
func TestChartRefusesValues(t *testing.T) {
	for _, row := range []struct{ name, values, refusal string }{
		{"a value that does not exist", "replicaCount: 3", "additional properties 'replicaCount' not allowed"},
		{"one that does not exist in a group", "image: {name: x}", "at '/image': additional properties 'name' not allowed"},
		{"a tag with a repository", "image: {tag: 'repo:v1'}", "at '/image/tag'"},
		{"a digest that is none", "image: {digest: 'sha256:abc'}", "at '/image/digest'"},
		{"a registry with a scheme", "image: {registry: 'https://registry.example.com'}", "at '/image/registry'"},
		{"a pull policy that does not exist", "image: {pullPolicy: Sometimes}", "at '/image/pullPolicy': value must be one of"},
		{"a Secret for the registry by its name alone", "imagePullSecrets: [registry]", "at '/imagePullSecrets/0': got string, want object"},
		{"a namespace that cannot be", "watchNamespaces: [Team]", "at '/watchNamespaces/0'"},
		{"namespaces in one text", "watchNamespaces: a", "at '/watchNamespaces': got string, want array"},
		{"a region that cannot be", "signInRegion: us_east", "at '/signInRegion'"},
		{"a negative limit", "signInQPS: -1", "at '/signInQPS': minimum: got -1, want 0"},
		{"an account ID that YAML takes for a number", "allowedAccounts: [111122223333]", "at '/allowedAccounts/0': got number, want string"},
		{"an account ID with a digit too many", "allowedAccounts: ['1111222233334']", "at '/allowedAccounts/0'"},
		{"two principals in one text", "allowedPrincipals: ['arn:aws:iam::1:user/a,arn:aws:iam::1:user/b']", "at '/allowedPrincipals/0'"},
		{"a duration without a unit", "sessionEndWarning: '30'", "at '/sessionEndWarning'"},
		{"no worker", "maxConcurrentReconciles: 0", "at '/maxConcurrentReconciles': minimum: got 0, want 1"},
		{"a log level at which Secrets would be logged", "logLevel: 8", "at '/logLevel': value must be one of"},
		{"an argument that is no flag", "extraArgs: [leader-elect]", "at '/extraArgs/0'"},
		{"a proxy without a scheme", "proxy: {url: 'proxy.example.com:3128'}", "at '/proxy/url'"},
		{"a proxy's password", "proxy: {url: 'http://ann:pass@proxy.example.com'}", "set HTTPS_PROXY and NO_PROXY from a Secret with extraEnv"},
		{"certificates in something else", "caBundle: {kind: File}", "at '/caBundle/kind': value must be one of"},
		{"a label that the chart sets", "commonLabels: {helm.sh/chart: x}", "at '/commonLabels/helm.sh~1chart'"},
		{"a text for a switch", "crds: {enabled: 'yes'}", "at '/crds/enabled': got string, want boolean"},
		{"a port that cannot be", "networkPolicy: {egressPorts: [0]}", "at '/networkPolicy/egressPorts/0'"},
		{"injection on a cluster that is too old", "injection: {enabled: true}", "injection.enabled needs Kubernetes 1.36, and this is v1.35.4"},
	} {
		for _, helm := range helms {
			t.Run(row.name+" by "+helm, func(t *testing.T) {
				command := exec.Command(filepath.Join(controlplane.Root(), "bin", "tools", helm), "template", chartFolder,
					"--kube-version", "1.35.4", "--values", "-")
				command.Stdin = strings.NewReader(row.values)
				output, err := command.CombinedOutput()
				if err == nil || !strings.Contains(string(output), row.refusal) {
					t.Errorf("error %v, want one with %q:\n%.500s", err, row.refusal, output)
				}
			})
		}
	}
}

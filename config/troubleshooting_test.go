package config_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

var (
	entry     = regexp.MustCompile("(?m)^### (.*)$")
	entryName = regexp.MustCompile("`([A-Za-z]+)`")
	alertName = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)
	// harmless commands need no person, and nothing that only a cluster with nodes has.
	harmless = regexp.MustCompile(`(?m)^kubectl (?:--namespace awslogin-system )?(?:get|describe|patch|auth can-i) .*$`)
)

// reasons are the values of the API's constants whose names begin with Reason.
func reasons(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(controlplane.Root(), "api", "v1alpha1", "conditions.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(file, func(node ast.Node) bool {
		constant, ok := node.(*ast.ValueSpec)
		if ok && strings.HasPrefix(constant.Names[0].Name, "Reason") {
			found = append(found, strings.Trim(constant.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	return found
}

func alerts(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, rule := range alertName.FindAllStringSubmatch(read(t, "prometheus/rules.yaml"), -1) {
		found = append(found, rule[1])
	}
	return found
}

// entries are what the headings of a section of the page name.
func entries(t *testing.T, section string) []string {
	t.Helper()
	page := read(t, filepath.Join(controlplane.Root(), "docs", "troubleshooting.md"))
	_, text, _ := strings.Cut(page, "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var found []string
	for _, title := range entry.FindAllStringSubmatch(text, -1) {
		for _, name := range entryName.FindAllStringSubmatch(title[1], -1) {
			found = append(found, name[1])
		}
	}
	return found
}

func TestTroubleshootingHasAnEntryForEveryReasonAndAlert(t *testing.T) {
	for section, existing := range map[string][]string{"Reasons": reasons(t), "Alerts": alerts(t)} {
		documented := entries(t, section)
		slices.Sort(documented)
		slices.Sort(existing)
		if len(existing) < 5 || !slices.Equal(documented, existing) {
			t.Errorf("%s: documented are\n%v, existing\n%v", section, documented, existing)
		}
	}
}

// troubled is what the page's commands are about.
const troubled = `
apiVersion: awslogin.dev/v1alpha1
kind: LoginSession
metadata: {name: dev}
spec: {loginCacheSecretRef: {name: dev-login}}
---
apiVersion: v1
kind: Secret
metadata: {name: dev-login}
stringData: {login.json: "{}"}
---
apiVersion: v1
kind: Secret
metadata: {name: dev}
`

func TestTroubleshootingCommandsWork(t *testing.T) {
	apply(t, kustomize(t, "default"))
	if err := makeNamespace("troubled"); err != nil {
		t.Fatal(err)
	}
	apply(t, []byte(troubled), "--namespace", "troubled")
	own := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(own, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl := environment.ControlPlane.KubectlPath
	t.Setenv("KUBECONFIG", own)
	t.Setenv("PATH", filepath.Dir(kubectl)+string(os.PathListSeparator)+os.Getenv("PATH"))
	run(t, nil, kubectl, "config", "set-context", "--current", "--namespace", "troubled")
	commands := harmless.FindAllString(read(t, filepath.Join(controlplane.Root(), "docs", "troubleshooting.md")), -1)
	if len(commands) < 20 {
		t.Errorf("there are only %d", len(commands))
	}
	for _, command := range commands {
		if strings.Contains(command, "$pod") {
			continue // no pod runs here
		}
		// What the operator may not do is an answer too, with exit code 1.
		_, complaints := run(t, nil, "sh", "-c", command+"\ntrue")
		if complaints != "" && !strings.HasPrefix(complaints, "No resources found") {
			t.Errorf("%s\n%s", command, complaints)
		}
	}
}

package config_test

import (
	"go/ast"
	"go/parser"
	"go/token"
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

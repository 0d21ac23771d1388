package doctor

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

func TestChecksAreDocumented(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "kubectl-awslogin.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(content), "| check | finds |")
	table, _, _ = strings.Cut(table, "\n\n")
	var documented, existing []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(table, -1) {
		documented = append(documented, row[1])
	}
	for _, check := range checks {
		if !slices.Contains(existing, check.name) {
			existing = append(existing, check.name)
		}
	}
	if !slices.Equal(documented, existing) {
		t.Errorf("documented are %v\nand there are %v", documented, existing)
	}
}

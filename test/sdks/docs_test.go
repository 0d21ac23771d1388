package sdks_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/controlplane"
)

// table is the first table below a heading of docs/workloads.md, without its head.
func table(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "workloads.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(string(text), heading+"\n")
	_, below, _ = strings.Cut(below, "\n|---")
	_, below, _ = strings.Cut(below, "\n")
	for line := range strings.Lines(below) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 3 {
			break
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells[1:len(cells)-1])
	}
	return rows
}

// TestDocumentedVerdictsAreThoseThatAreTried: what users are told works is what
// TestSDKsFollowRotations expects, and nothing else.
func TestDocumentedVerdictsAreThoseThatAreTried(t *testing.T) {
	formats := []string{credentialProcess, loginCache, environment, sharedCredentials}
	documented := map[string]map[string]verdict{}
	for _, row := range table(t, "## What works") {
		verdicts := map[string]verdict{}
		for i, format := range formats {
			if said := verdict(row[i+1]); said != "" {
				verdicts[format] = said
			}
		}
		documented[row[0]] = verdicts
	}
	for _, s := range sdks() {
		if !maps.Equal(documented[s.name], s.verdicts) {
			t.Errorf("of %s is said %v, tried is %v", s.name, documented[s.name], s.verdicts)
		}
		delete(documented, s.name)
	}
	for name := range documented {
		t.Errorf("%s is not tried", name)
	}
}

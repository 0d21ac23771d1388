package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"awslogin.dev/operator/internal/controlplane"
)

func document(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "kubectl-awslogin.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// commands are those that people see; their own flags are not kubectl's.
func commands() []*cobra.Command {
	var visible []*cobra.Command
	for _, command := range newCommand(genericiooptions.NewTestIOStreamsDiscard()).Commands() {
		if !command.Hidden && command.Name() != "help" {
			visible = append(visible, command)
		}
	}
	return visible
}

func TestCommandsAndTheirFlagsAreDocumented(t *testing.T) {
	text := document(t)
	existing := map[string]bool{"context": true, "kubeconfig": true, "help": true}
	for _, command := range commands() {
		if !strings.Contains(text, "\n## "+command.Name()+"\n") {
			t.Errorf("command %s is not documented", command.Name())
		}
		command.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
			existing[flag.Name] = true
			if flag.Name != "help" && !strings.Contains(text, "`--"+flag.Name+"`") {
				t.Errorf("--%s of %s is not documented", flag.Name, command.Name())
			}
		})
	}
	for _, match := range regexp.MustCompile("`--([a-z-]+)").FindAllStringSubmatch(text, -1) {
		if !existing[match[1]] {
			t.Errorf("--%s is documented and does not exist", match[1])
		}
	}
}

// documentedRole is what the document says that a person needs.
func documentedRole(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	role := &rbacv1.Role{}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(document(t), -1) {
		if strings.Contains(block[1], "kind: Role\n") {
			if err := yaml.UnmarshalStrict([]byte(block[1]), role); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(role.Rules) == 0 {
		t.Fatal("no Role is documented")
	}
	return role.Rules
}

func TestDocumentedRightsAreEnough(t *testing.T) {
	for name, args := range map[string][]string{
		"to sign in": {"login", "--no-browser"},
		"to import":  {"import", "--move"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t)
			s.laptop("", aws, nil)
			s.becomeUser(documentedRole(t)...)
			for range 2 { // create, replace
				r := s.run("", args...)
				if r.err != nil {
					t.Fatal(r.messages)
				}
				s.laptop("", aws, nil)
			}
		})
	}
}

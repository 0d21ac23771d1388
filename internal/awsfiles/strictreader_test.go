package awsfiles

import (
	"regexp"
	"strings"
	"testing"
)

// values are what AWS SDKs take for the value in a line of a profile, by what
// they do to it: the reader of each was looked into.
var values = map[string]func(line string) string{
	"Python and .NET":              valueIn, // for which only a whole line can be a comment
	"Java, JavaScript, Rust and C": func(line string) string { return valueIn(spacedComment.Split(line, 2)[0]) },
	"Ruby":                         func(line string) string { return valueIn(strings.Split(line, " ;")[0]) },
	"Go":                           func(line string) string { return unquoted(valueIn(spacedComment.Split(line, 2)[0]), `"`, "'") },
	"PHP":                          func(line string) string { return unquoted(valueIn(strings.Split(line, ";")[0]), `"`) },
	"C++": func(line string) string {
		if strings.Contains(line, "[") && strings.Contains(line, "]") {
			return "a section"
		}
		return valueIn(spacedComment.Split(line, 2)[0])
	},
}

var (
	spacedComment = regexp.MustCompile(`(^|\s)[#;]`)
	aName         = regexp.MustCompile(`^[a-z_]+$`)
)

func valueIn(line string) string {
	_, value, _ := strings.Cut(line, "=")
	return strings.TrimSpace(value)
}

// unquoted is what is between quotation marks. Of a single one, the Go SDK makes
// a panic.
func unquoted(value string, marks ...string) string {
	for _, mark := range marks {
		if strings.HasPrefix(value, mark) && strings.HasSuffix(value, mark) {
			return strings.TrimPrefix(strings.TrimSuffix(value, mark), mark)
		}
	}
	return value
}

// readProfile reads a file that has one profile, default, as all AWS SDKs at
// once would: it fails where they do not read the same.
func readProfile(t *testing.T, file []byte) map[string]string {
	t.Helper()
	body, isDefault := strings.CutPrefix(string(file), "[default]\n")
	body, isWhole := strings.CutSuffix(body, "\n")
	if !isDefault || !isWhole {
		t.Fatalf("not lines of the profile default:\n%s", file)
	}
	read := map[string]string{}
	for _, line := range strings.Split(body, "\n") {
		name, value, _ := strings.Cut(line, " = ")
		if _, twice := read[name]; twice || !aName.MatchString(name) || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("not a new line of visible text with a name: %q", line)
		}
		read[name] = value
		for sdk, valueOf := range values {
			if got := valueOf(line); got != value {
				t.Errorf("%s: %q reads as %q in %s", name, value, got, sdk)
			}
		}
	}
	return read
}

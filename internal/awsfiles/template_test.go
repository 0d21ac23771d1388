package awsfiles

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"awslogin.dev/operator/internal/sdktest"
)

func templated(t *testing.T, in Input, text string) string {
	t.Helper()
	file, err := Template(in, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(file)
}

func TestTemplate(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"of nothing":                          {"", ""},
		"of text alone":                       {"a } b\n", "a } b\n"},
		"with every field":                    {"{{.AccessKeyID}} {{.SecretAccessKey}} {{.SessionToken}} {{.AccountID}} {{.Region}}", "ASIAEXAMPLE secret+/<&>= session+/<&>== 012345678910 ap-northeast-1"},
		"with the expiry, in UTC":             {"{{.Expiration}} {{.ExpirationUnix}}", "2026-11-22T12:15:00Z 1795349700"},
		"with the mount path":                 {"cat {{.MountPath}}/credentials.json", "cat /var/run/secrets/awslogin.dev/credentials.json"},
		"with a function":                     {"{{base64 .AccountID}}", "MDEyMzQ1Njc4OTEw"},
		"with a pipe to a function":           {"{{.AccountID | base64}}", "MDEyMzQ1Njc4OTEw"},
		"with a function of a string":         {`{{json "a\"b"}}`, `"a\"b"`},
		"with braces of its own":              {`{{"{{"}}.x}} {{` + "`}}`" + `}}`, "{{.x}} }}"},
		"with a comment and trimmed space":    {"a\n{{- /* b */ -}}\n c", "ac"},
		"with a field that there is":          {"{{if .Region}}yes{{else}}no{{end}}", "yes"},
		"with an if in the branch of another": {"{{if .AccountID}}{{if .Region}}yes{{end}}{{end}}", "yes"},
		"of all that a file may be long":      {strings.Repeat("x", maxTemplated), strings.Repeat("x", maxTemplated)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := templated(t, example(), row.text); got != row.want {
				t.Errorf("makes %q, want %q", got, row.want)
			}
		})
	}
}

func TestTemplateWithoutARegion(t *testing.T) {
	in := example()
	in.Region = ""
	for text, want := range map[string]string{
		"{{if .Region}}region={{.Region}}{{end}}":               "",
		"{{if .Region}}yes{{else}}no{{end}}":                    "no",
		"{{if .Region}}a{{else if .AccountID}}b{{else}}{{end}}": "b",
		"{{json .Region}}":                                      `""`,
	} {
		if got := templated(t, in, text); got != want {
			t.Errorf("%s makes %q, want %q", text, got, want)
		}
	}
}

func TestTemplateIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ text, says string }{
		"that does not end":                       {"\n{{.Region", "line 2: unclosed action"},
		"with an if that does not end":            {"{{if .Region}}", "line 1: unexpected EOF"},
		"with a field that does not exist":        {"a\n b{{.Password}}", `line 2: ".Password" cannot be used: the fields are AccessKeyID, AccountID, Expiration, ExpirationUnix, MountPath, Region, SecretAccessKey, SessionToken`},
		"with a field of a field":                 {"{{.Region.Name}}", `".Region.Name" cannot be used`},
		"with a field of an expression":           {"{{(.Region).Name}}", `"(.Region).Name" cannot be used`},
		"with a function that does not exist":     {"{{env .Region}}", `line 1: function "env" not defined`},
		"with a function of the language":         {`{{printf "%999999999d" .Region}}`, `"printf" cannot be used: the functions are base64, json, shell, urlquery, xml`},
		"with a call":                             {"{{call .Region}}", `"call" cannot be used`},
		"with a function of a function":           {"{{json (json .Region)}}", "cannot be used"},
		"with a row of functions":                 {"{{.Region | json | json}}", "cannot be used"},
		"with a function of two values":           {"{{json .Region .Region}}", "cannot be used"},
		"with a function of nothing":              {"{{json}}", "cannot be used"},
		"with a function of a number":             {"{{json 1}}", "cannot be used"},
		"with a pipe into a field":                {"{{.Region | .Region}}", "cannot be used"},
		"with two values":                         {"{{.Region .Region}}", "cannot be used"},
		"with a number":                           {"{{1}}", `"1" cannot be used: write {{.Field}}`},
		"with everything":                         {"{{.}}", `"." cannot be used`},
		"with everything by its other name":       {"{{$.Region}}", `"$.Region" cannot be used`},
		"with a variable":                         {"{{$x := .Region}}", `"$x := .Region" cannot be used`},
		"with a variable in an if":                {"{{if $x := .Region}}{{end}}", "cannot be used"},
		"with an if of a function":                {"{{if and .Region .AccountID}}{{end}}", "cannot be used"},
		"with an if of a string":                  {`{{if "a"}}{{end}}`, "cannot be used"},
		"with an if of a field that is not":       {"{{if .Password}}{{end}}", "the fields are"},
		"with a loop":                             {"{{range .Region}}{{end}}", "cannot be used"},
		"with a loop of a billion":                {"{{range 1000000000}}{{end}}", "cannot be used"},
		"with a with":                             {"{{with .Region}}{{end}}", "cannot be used"},
		"with a definition":                       {`{{define "a"}}b{{end}}`, "{{define}} and {{block}} cannot be used"},
		"with a definition of itself":             {`{{define "line"}}{{template "line"}}{{end}}`, "cannot be used"},
		"with a block":                            {`{{block "a" .}}{{end}}`, "cannot be used"},
		"with a template":                         {`{{template "a"}}`, "cannot be used"},
		"with a fault in a branch not taken":      {"{{if .Region}}{{else}}{{.Password}}{{end}}", "the fields are"},
		"with a fault in the branch taken":        {"{{if .Region}}{{.Password}}{{end}}", "the fields are"},
		"with a break":                            {"{{break}}", "line 1:"},
		"nested deeply":                           {"{{" + strings.Repeat("(", 8000), "line 1:"},
		"of a file that would be a byte too long": {strings.Repeat("x", maxTemplated) + "y", "more than 32 KiB"},
		"of a file that values make too long":     {strings.Repeat("{{.SessionToken}}", 3000), "more than 32 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := Template(example(), row.text)
			if err == nil || file != nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("makes %q, and the error is %v", file, err)
			}
			for _, value := range []string{example().SecretAccessKey, example().SessionToken} {
				if err != nil && strings.Contains(err.Error(), value) {
					t.Errorf("the error quotes a value: %v", err)
				}
			}
		})
	}
}

// awkward has every character that some file format takes for more than itself.
const awkward = "a'b\"c\\d$e`f&g<h>i{j}k%l+m/n=o#p;q!r~"

// TestFunctionsAreUndoneByWhatReadsTheirFormat reads each back as the tools do that
// such files are for.
func TestFunctionsAreUndoneByWhatReadsTheirFormat(t *testing.T) {
	readers := map[string]func(string) (string, error){
		"base64":   func(s string) (string, error) { b, err := base64.StdEncoding.DecodeString(s); return string(b), err },
		"urlquery": url.QueryUnescape,
		"json":     func(s string) (read string, err error) { return read, json.Unmarshal([]byte(s), &read) },
		"xml": func(s string) (string, error) {
			var read struct {
				Text      string `xml:",chardata"`
				Attribute string `xml:"a,attr"`
			}
			err := xml.Unmarshal([]byte(`<x a="`+s+`">`+s+"</x>"), &read)
			if read.Text != read.Attribute {
				err = errors.New("text and attribute differ")
			}
			return read.Text, err
		},
		"shell": func(s string) (string, error) {
			out, err := exec.Command("sh", "-c", "printf %s "+s).Output()
			return string(out), err
		},
	}
	if len(readers) != len(templateFunctions) {
		t.Errorf("%d functions are tested, and there are %d", len(readers), len(templateFunctions))
	}
	in := example()
	in.SecretAccessKey = awkward
	for name, read := range readers {
		text := templated(t, in, "{{"+name+" .SecretAccessKey}}")
		if got, err := read(text); err != nil || got != awkward {
			t.Errorf("%s writes %s, which reads as %q: %v", name, text, got, err)
		}
	}
}

// TestDocumentedFieldsAndFunctionsAreThoseOfTemplates compares them with the rows of
// tables.
func TestDocumentedFieldsAndFunctionsAreThoseOfTemplates(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "loginsession.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### Files of your own")
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([.A-Za-z0-9]+)` \\|").FindAllStringSubmatch(section, -1) {
		documented = append(documented, row[1])
	}
	existing := slices.Collect(maps.Keys(templateFunctions))
	for field := range templateFields(Input{}) {
		existing = append(existing, "."+field)
	}
	slices.Sort(documented)
	slices.Sort(existing)
	if !slices.Equal(documented, existing) {
		t.Errorf("documented are %v, and there are %v", documented, existing)
	}
}

const tfvars = `{
  "aws_access_key": {{json .AccessKeyID}},
  "aws_secret_key": {{json .SecretAccessKey}},
  "aws_token": {{json .SessionToken}}
  {{- if .Region}},
  "region": {{json .Region}}
  {{- end}}
}
`

func TestVariablesForTerraformAreJSON(t *testing.T) {
	for _, region := range []string{"ap-northeast-1", ""} {
		in := example()
		in.Region, in.SecretAccessKey = region, awkward
		want := map[string]string{"aws_access_key": in.AccessKeyID, "aws_secret_key": awkward, "aws_token": in.SessionToken}
		if region != "" {
			want["region"] = region
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(templated(t, in, tfvars)), &got); err != nil || !maps.Equal(got, want) {
			t.Errorf("reads as %v, want %v: %v", got, want, err)
		}
	}
}

// TestNetrcIsReadByPython reads a .netrc with the parser of Python's library.
func TestNetrcIsReadByPython(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".netrc")
	text := "machine s3.{{.Region}}.amazonaws.com\n  login {{.AccessKeyID}}\n  password {{.SecretAccessKey}}\n  account {{.SessionToken}}\n"
	if err := os.WriteFile(file, []byte(templated(t, example(), text)), 0o600); err != nil {
		t.Fatal(err)
	}
	const read = `import netrc, sys; print(*netrc.netrc(sys.argv[1]).authenticators("s3.ap-northeast-1.amazonaws.com"))`
	out, err := exec.CommandContext(t.Context(), sdktest.Python(t), "-c", read, file).CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "ASIAEXAMPLE session+/<&>== secret+/<&>=" {
		t.Errorf("Python reads %q: %v", got, err)
	}
}

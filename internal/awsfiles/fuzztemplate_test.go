package awsfiles

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"text/template"
	"time"
	"unicode/utf8"
)

const canary = "CANARY7xQ2"

// FuzzTemplate looks for a template that costs more than its size explains, that
// fails for some credentials and not for others, or whose error tells a secret.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		tfvars, "machine {{.Region}} login {{.AccessKeyID}} password {{.SecretAccessKey}}", "{{if .Region}}{{.Region | xml}}{{else if .AccountID}}{{shell .AccountID}}{{end}}",
		"{{$x := .SessionToken}}{{$x}}", "{{with .SessionToken}}{{index . 0}}{{end}}", `{{block "a" .}}{{call .}}{{len .}}{{end}}`, "{{base64 .SessionToken.Year}}",
		strings.Repeat("{{xml .SessionToken}}", 300), "{{" + strings.Repeat("(", 300), strings.Repeat("{{if .Region}}", 100) + strings.Repeat("{{end}}", 100),
	} {
		f.Add(text, "secret+/=", "eu-central-1")
		f.Add(text, strings.Repeat("<", 8000), "")
	}
	f.Fuzz(func(t *testing.T, text, secret, region string) {
		if utf8.RuneCountInString(text) > 8<<10 || len(secret) > 8<<10 || !aRegion.MatchString(region) {
			return // the API server refuses these, or a login cache with them is
		}
		in := example()
		in.SecretAccessKey, in.SessionToken, in.Region = canary+visible(secret), visible(secret)+canary, region
		start := time.Now()
		file, err := Template(in, text)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it takes %s", took)
		}
		if len(file) > maxTemplated || (err != nil && file != nil) {
			t.Errorf("the file has %d bytes, and the error is %v", len(file), err)
		}
		checkTemplateError(t, in, text, err)
		if again, _ := Template(in, text); !bytes.Equal(again, file) {
			t.Error("the same input gives other bytes")
		}
		if _, other := Template(Input{}, text); (other == nil) != (err == nil) && !errors.Is(err, errTooLong) && !errors.Is(other, errTooLong) {
			t.Errorf("credentials decide what is a template: %v, but %v without any", err, other)
		}
	})
}

func checkTemplateError(t *testing.T, in Input, text string, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), canary) && !strings.Contains(text, canary) {
		t.Errorf("the error tells a secret: %v", err)
	}
	if !errors.Is(err, errTooLong) {
		return
	}
	var whole countingWriter
	if err := template.Must(template.New("").Funcs(templateFunctions).Parse(text)).Execute(&whole, templateFields(in)); err != nil || whole <= maxTemplated {
		t.Errorf("refused for %d bytes: %v", whole, err)
	}
}

type countingWriter int

func (w *countingWriter) Write(text []byte) (int, error) {
	*w += countingWriter(len(text))
	return len(text), nil
}

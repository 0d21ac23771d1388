package fakeaws

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// form is the body of a request of the AWS Query protocol. An action takes its parameters out one by one, and what it
// leaves does not belong there. The violations of the model's constraints are gathered: AWS tells all of them at once.
type form struct {
	parameters map[string]string
	violations []string
}

func parseForm(body []byte) (*form, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, malformedInput("The body is not a form")
	}
	f := &form{parameters: map[string]string{}}
	for name, v := range values {
		if len(v) > 1 {
			return nil, malformedInput("The parameter %s is there twice", name)
		}
		f.parameters[name] = v[0]
	}
	return f, nil
}

func (f *form) take(name string) (value string, ok bool) {
	value, ok = f.parameters[name]
	delete(f.parameters, name)
	return value, ok
}

// optional is a parameter that may be missing, but not be wrong.
func (f *form) optional(name string, s shape) string {
	value, ok := f.take(name)
	if ok {
		f.violations = append(f.violations, s.violations(name, value)...)
	}
	return value
}

func (f *form) required(name string, s shape) string {
	if _, ok := f.parameters[name]; !ok {
		f.violations = append(f.violations, violation(name, "null", "not be null"))
	}
	return f.optional(name, s)
}

// integer is a parameter with a least and a greatest value, and one that it has if it is missing.
func (f *form) integer(name string, least, greatest, missing int) int {
	value, ok := f.take(name)
	if !ok {
		return missing
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
		f.violations = append(f.violations, violation(name, quote(value), "be an integer"))
	case n < least:
		f.violations = append(f.violations, violation(name, quote(value), "have value greater than or equal to %d", least))
	case n > greatest:
		f.violations = append(f.violations, violation(name, quote(value), "have value less than or equal to %d", greatest))
	}
	return n
}

// list calls read for each member of a list, such as Tags.member.1, up to the first number that no parameter begins with.
// An empty list is sent as its bare name.
func (f *form) list(name string, most int, read func(member string)) {
	if f.parameters[name] == "" {
		delete(f.parameters, name)
	}
	n := 0
	for ; f.hasMember(fmt.Sprintf("%s.member.%d", name, n+1)); n++ {
		read(fmt.Sprintf("%s.member.%d", name, n+1))
	}
	if n > most {
		list := fmt.Sprintf("a list of %d", n)
		f.violations = append(f.violations, violation(name, list, "have length less than or equal to %d", most))
	}
}

func (f *form) hasMember(prefix string) bool {
	for name := range f.parameters {
		if strings.HasPrefix(name, prefix+".") {
			return true
		}
	}
	return false
}

// end judges what has been taken, and what has not.
func (f *form) end() error {
	if len(f.parameters) > 0 {
		return malformedInput("The parameter %s does not belong there", slices.Sorted(maps.Keys(f.parameters))[0])
	}
	switch n := len(f.violations); n {
	case 0:
		return nil
	case 1:
		return validationError("1 validation error detected: %s", f.violations[0])
	default:
		return validationError("%d validation errors detected: %s", n, strings.Join(f.violations, "; "))
	}
}

// shape is a string shape of the STS model.
type shape struct {
	min, max int
	pattern  string // as the model has it
	whole    *regexp.Regexp
}

var unicodeEscape = regexp.MustCompile(`\\u([0-9A-F]{4})`)

func newShape(min, max int, pattern string) shape {
	return shape{min, max, pattern, regexp.MustCompile(`^(?:` + unicodeEscape.ReplaceAllString(pattern, `\x{$1}`) + `)$`)}
}

func (s shape) violations(name, value string) []string {
	var found []string
	length := utf8.RuneCountInString(value)
	if length < s.min {
		found = append(found, violation(name, quote(value), "have length greater than or equal to %d", s.min))
	}
	if length > s.max {
		found = append(found, violation(name, quote(value), "have length less than or equal to %d", s.max))
	}
	if !s.whole.MatchString(value) {
		found = append(found, violation(name, quote(value), "satisfy regular expression pattern: %s", s.pattern))
	}
	return found
}

func quote(value string) string { return "'" + value + "'" }

func violation(name, value, constraint string, args ...any) string {
	return fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: Member must ", value, placeOf(name)) +
		fmt.Sprintf(constraint, args...)
}

var memberIndex = regexp.MustCompile(`member\.([0-9]+)`)

// placeOf is how AWS names a parameter in its complaints: Tags.member.1.Key is tags.1.member.key to it.
func placeOf(name string) string {
	parts := strings.Split(memberIndex.ReplaceAllString(name, "$1.member"), ".")
	for i, part := range parts {
		parts[i] = strings.ToLower(part[:1]) + part[1:]
	}
	return strings.Join(parts, ".")
}

func malformedInput(format string, args ...any) error {
	return &stsError{http.StatusBadRequest, "MalformedInput", fmt.Sprintf(format, args...)}
}

func validationError(format string, args ...any) error {
	return &stsError{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}

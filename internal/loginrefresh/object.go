package loginrefresh

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// object is a JSON object whose members keep their order and, unless replaced,
// their very bytes: other tools' fields in the login cache are not ours to
// reformat.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// parseObject reads exactly one JSON object, in UTF-8 (RFC 8259, section 8.1):
// most SDKs read nothing else. Its errors never quote the input, of which the
// object's values are parts.
func parseObject(data []byte) (object, error) {
	if !json.Valid(data) || !utf8.Valid(data) {
		return nil, errors.New("is not valid JSON")
	}
	rest := trimSpace(data)
	if rest[0] != '{' {
		return nil, errors.New("is not a JSON object")
	}
	var parsed object
	for rest = trimSpace(rest[1:]); rest[0] != '}'; rest = trimSpace(rest) {
		var next member
		if next, rest = parseMember(rest); parsed.index(next.name) >= 0 {
			// Readers disagree on which of the two counts.
			return nil, errors.New("names the same field twice")
		}
		parsed = append(parsed, next)
	}
	return parsed, nil
}

// parseMember takes the first member, and the comma after it, off the rest of a valid
// object.
func parseMember(rest []byte) (member, []byte) {
	end := valueEnd(rest)
	name, _ := unquote(rest[:end])
	rest = trimSpace(trimSpace(rest[end:])[1:]) // the colon
	end = valueEnd(rest)
	value := rest[:end:end]
	rest = trimSpace(rest[end:])
	return member{name, value}, bytes.TrimPrefix(rest, []byte(","))
}

// valueEnd is where the value ends that a member of a valid object begins with.
func valueEnd(text []byte) int {
	switch text[0] {
	case '"':
		return stringEnd(text)
	case '{', '[':
		return nestedEnd(text)
	}
	return bytes.IndexAny(text, " \t\r\n,}")
}

func nestedEnd(text []byte) int {
	depth := 0
	for i := 0; ; i++ {
		switch text[i] {
		case '"':
			i += stringEnd(text[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth == 0 {
			return i + 1
		}
	}
}

// stringEnd is where the string ends that valid JSON begins with.
func stringEnd(text []byte) int {
	for i := 1; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}

func trimSpace(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// unquote reads a JSON string; ok is false for any other value.
func unquote(raw json.RawMessage) (text string, ok bool) {
	if raw[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), true
	}
	return text, json.Unmarshal(raw, &text) == nil
}

func (o object) index(name string) int {
	return slices.IndexFunc(o, func(m member) bool { return m.name == name })
}

// misspells says whether a member has the name but for upper and lower case.
// encoding/json, and so the Go SDK, takes it for the same, whichever comes last.
func (o object) misspells(name string) bool {
	return slices.ContainsFunc(o, func(m member) bool { return m.name != name && strings.EqualFold(m.name, name) })
}

// raw is the member's value as written, nil where there is none.
func (o object) raw(name string) json.RawMessage {
	if i := o.index(name); i >= 0 {
		return o[i].value
	}
	return nil
}

// with returns a copy in which name has the given value, in its old place or at
// the end.
func (o object) with(name string, value json.RawMessage) object {
	changed := slices.Clone(o)
	if i := changed.index(name); i >= 0 {
		changed[i].value = value
		return changed
	}
	return append(changed, member{name, value})
}

func (o object) withString(name, value string) object {
	return o.with(name, quote(value))
}

func (o object) bytes() json.RawMessage {
	out := make([]byte, 0, o.size())
	out = append(out, '{')
	for i, m := range o {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(out, quote(m.name)...)
		out = append(out, ": "...)
		out = append(out, m.value...)
	}
	return append(out, '}')
}

// size is about how long the object is as text.
func (o object) size() int {
	size := len("{}")
	for _, m := range o {
		size += len(m.name) + len(m.value) + len(`"": , `)
	}
	return size
}

// quote writes a JSON string without escaping <, > and &, as the AWS CLI does.
func quote(text string) json.RawMessage {
	if isPlain(text) {
		return json.RawMessage(`"` + text + `"`)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always encodes
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// isPlain says whether a JSON string needs no escaping of any character.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

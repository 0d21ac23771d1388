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
// most SDKs read nothing else. Its errors never quote the input.
func parseObject(data []byte) (object, error) {
	if !json.Valid(data) || !utf8.Valid(data) {
		return nil, errors.New("is not valid JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("is not a JSON object")
	}
	var parsed object
	names := map[string]bool{}
	for decoder.More() {
		next, err := parseMember(decoder)
		if err != nil {
			return nil, err
		}
		if names[next.name] {
			// Readers disagree on which of the two counts.
			return nil, errors.New("names the same field twice")
		}
		names[next.name] = true
		parsed = append(parsed, next)
	}
	return parsed, nil
}

func parseMember(decoder *json.Decoder) (member, error) {
	token, err := decoder.Token()
	if err != nil {
		return member{}, errors.New("is not valid JSON")
	}
	name, _ := token.(string)
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return member{}, errors.New("is not valid JSON")
	}
	return member{name, value}, nil
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
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteString(", ")
		}
		out.Write(quote(m.name))
		out.WriteString(": ")
		out.Write(m.value)
	}
	out.WriteByte('}')
	return out.Bytes()
}

// quote writes a JSON string without escaping <, > and &, as the AWS CLI does.
func quote(text string) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always encodes
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

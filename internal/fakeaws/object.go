package fakeaws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// object is a JSON object with the members it must have, no more, no fewer, none twice. Go's own decoder would ignore
// the case of a name, unknown names, and all but the last of equal names.
type object map[string]json.RawMessage

func parseObject(raw []byte, members ...string) (object, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("is not a JSON object")
	}
	o := object{}
	for d.More() {
		if err := o.readMember(d, members); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("is not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("has more after the JSON object")
	}
	for _, name := range members {
		if _, ok := o[name]; !ok {
			return nil, fmt.Errorf("has no %s", name)
		}
	}
	return o, nil
}

// readMember reads one name and its value.
func (o object) readMember(d *json.Decoder, members []string) error {
	t, err := d.Token()
	name, isString := t.(string)
	if err != nil || !isString {
		return errors.New("is not a JSON object")
	}
	if !slices.Contains(members, name) {
		return fmt.Errorf("has a member %q, which does not belong there", name)
	}
	if _, twice := o[name]; twice {
		return fmt.Errorf("has %s twice", name)
	}
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return errors.New("is not a JSON object")
	}
	o[name] = value
	return nil
}

// text returns a string member, or "" for a value of another type, which no caller accepts.
func (o object) text(name string) string {
	var s string
	if err := json.Unmarshal(o[name], &s); err != nil {
		return ""
	}
	return s
}

// integer accepts digits alone: no fraction, no exponent, no quotes.
func (o object) integer(name string) (int64, error) {
	n, err := strconv.ParseInt(string(o[name]), 10, 64)
	if err != nil {
		return 0, errors.New("is not an integer")
	}
	return n, nil
}

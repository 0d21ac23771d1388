package loginrefresh

import (
	"fmt"
	"io"
)

// What holds secrets says so in a few harmless words wherever it is printed:
// Format is for fmt (logs, errors, panics), MarshalText for encoding/json and
// for the loggers built on it. Both reach exported fields, slices and maps; fmt
// calls no method of a value in an unexported field, so hold such by pointer.

func (c Credentials) label() string { return "credentials " + c.AccessKeyID }
func (r Rotation) label() string    { return "rotation to credentials " + r.AccessKeyID }
func (l Login) label() string       { return "login " + l.Fingerprint() }

// Format prints no secret.
func (c Credentials) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, c.label()) }

// Format prints no secret.
func (r Rotation) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, r.label()) }

// Format prints no secret.
func (l Login) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, l.label()) }

// MarshalText encodes no secret.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.label()), nil }

// MarshalText encodes no secret.
func (r Rotation) MarshalText() ([]byte, error) { return []byte(r.label()), nil }

// MarshalText encodes no secret.
func (l Login) MarshalText() ([]byte, error) { return []byte(l.label()), nil }

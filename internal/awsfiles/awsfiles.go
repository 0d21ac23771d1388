// Package awsfiles writes the files by which AWS SDKs take credentials from a
// mounted Secret. What it writes depends on its input only, so that publishing
// twice changes nothing and a change by someone else shows.
package awsfiles

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// Input is what the files are about.
type Input struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	AccountID       string
	ExpiresAt       time.Time

	// LoginSession is the value of login_session: the principal's ARN, or any
	// stable name.
	LoginSession string
	// Region for workloads; left out of the files where it is empty.
	Region string
	// MountPath is the directory the files are mounted at.
	MountPath string
}

// Format writes the files of one way to hand over credentials.
type Format func(Input) (map[string][]byte, error)

// Formats by the name that a LoginSession gives them.
var Formats = map[string]Format{
	"CredentialProcess": credentialProcess,
	"LoginCache":        loginCache,
	"Environment":       environment,
	"SharedCredentials": sharedCredentials,
}

// Render writes the files of all the named formats. No two formats share a file.
func Render(in Input, formats []string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range formats {
		format, ok := Formats[name]
		if !ok {
			return nil, fmt.Errorf("unknown format %q", name)
		}
		written, err := format(in)
		if err != nil {
			return nil, fmt.Errorf("write format %s: %w", name, err)
		}
		maps.Copy(files, written)
	}
	return files, nil
}

// profile is an AWS config or credentials file with the default profile. Every
// file has one mechanism only: SDKs disagree on which of two goes first.
func profile(lines ...[2]string) ([]byte, error) {
	text := "[default]\n"
	for _, line := range lines {
		if isAmbiguous(line[1]) {
			return nil, fmt.Errorf("AWS SDKs do not agree on how to read the value of %s", line[0])
		}
		if line[1] != "" {
			text += line[0] + " = " + line[1] + "\n"
		}
	}
	return []byte(text), nil
}

// isAmbiguous says whether AWS SDKs read a profile's value in different ways: for
// most, # or ; after a space begins a comment, and for PHP's a ; anywhere does;
// Go's and PHP's take quotation marks off; C++'s takes a line with both brackets
// for a section. What AWS issues is Base64 (RFC 4648, section 4), without these.
func isAmbiguous(value string) bool {
	return strings.HasPrefix(value, "#") || strings.ContainsAny(value, ";\"'[]\r\n")
}

// timestamp is the one form that every SDK parses.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

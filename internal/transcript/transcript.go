// Package transcript holds documents to what the commands in them print. It is for
// tests.
package transcript

import (
	"os"
	"strings"
	"testing"
)

// Document is one whose code blocks below a marker are transcripts:
//
//	<!-- transcript: NAME -->
type Document struct {
	path, text string
	update     bool // write the document in place of complaining
	expected   int
}

// Open reads a document.
func Open(t *testing.T, path string, update bool) *Document {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &Document{path: path, text: string(text), update: update}
}

// Expect what was printed in the code block of this name.
func (d *Document) Expect(t *testing.T, name, printed string) {
	t.Helper()
	d.expected++
	head := "<!-- transcript: " + name + " -->\n```\n"
	before, rest, found := strings.Cut(d.text, head)
	shown, after, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("%s has no place for the transcript %s", d.path, name)
	}
	if shown != printed && !d.update {
		t.Errorf("`make transcripts` has to be run: %s has\n%s\nprinted was\n%s", d.path, shown, printed)
	}
	d.text = before + head + printed + "```\n" + after
}

// Close checks that every transcript was expected, and writes the document if it was
// asked for.
func (d *Document) Close(t *testing.T) {
	t.Helper()
	if places := strings.Count(d.text, "<!-- transcript: "); places != d.expected {
		t.Errorf("%s has places for %d transcripts, and there are %d", d.path, places, d.expected)
	}
	if !d.update {
		return
	}
	if err := os.WriteFile(d.path, []byte(d.text), 0o600); err != nil {
		t.Fatal(err)
	}
}

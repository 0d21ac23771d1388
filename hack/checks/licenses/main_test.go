package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	isc = `Copyright (c) 2026 Somebody

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN
AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
PERFORMANCE OF THIS SOFTWARE.
`
	wtfpl = `DO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE
Version 2, December 2004

Copyright (C) 2004 Sam Hocevar <sam@hocevar.net>

Everyone is permitted to copy and distribute verbatim or modified copies of this license document, and changing it is
allowed as long as the name is changed.

DO WHAT THE FUCK YOU WANT TO PUBLIC LICENSE
TERMS AND CONDITIONS FOR COPYING, DISTRIBUTION AND MODIFICATION

0. You just DO WHAT THE FUCK YOU WANT TO.
`
)

func TestEveryPartNeedsALicenceOnTheList(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string // in the error
	}{
		"a licence on the list":                       {files: map[string]string{"LICENSE": isc}},
		"one above the code":                          {files: map[string]string{"../LICENSE.txt": isc}},
		"none":                                        {files: map[string]string{"README": isc}, want: "no licence in"},
		"one that is not on the list":                 {files: map[string]string{"LICENSE": wtfpl}, want: "WTFPL is not on the list"},
		"the nearest of two is not on the list":       {files: map[string]string{"COPYING": wtfpl, "../LICENSE": isc}, want: "WTFPL is not on the list"},
		"a second one that is not on the list":        {files: map[string]string{"LICENSE": isc, "LICENSE-2": wtfpl}, want: "WTFPL is not on the list"},
		"one that nobody knows":                       {files: map[string]string{"LICENSE": "Do what I say."}, want: "0 % of it"},
		"a licence with much more than it":            {files: map[string]string{"LICENSE": isc + strings.Repeat("But not on Sundays. ", 50)}, want: "of a known licence"},
		"a notice that is not a licence is only kept": {files: map[string]string{"../LICENSE": isc, "../NOTICE": "Somebody made this."}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			folder := filepath.Join(root, "code")
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			for file, text := range test.files {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := collect([]part{{module: "example.com/m", root: root, folder: folder}})
			if test.want == "" && err != nil {
				t.Error(err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestNoticesHaveEqualTextsOnceAndNotices(t *testing.T) {
	var parts []part
	for _, module := range []string{"example.com/b", "example.com/a"} {
		root := t.TempDir()
		for file, text := range map[string]string{"LICENSE": isc, "NOTICE": "Somebody made " + module} {
			if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		parts = append(parts, part{module: module, root: root, folder: root})
	}
	texts, err := collect(parts)
	if err != nil {
		t.Fatal(err)
	}
	got := string(notices(texts))
	if strings.Count(got, "Permission to use") != 1 || !strings.Contains(got, "example.com/a\nexample.com/b\n\nCopyright") {
		t.Errorf("the common text is not there once, for both:\n%s", got)
	}
	if !strings.Contains(got, "Somebody made example.com/b") {
		t.Errorf("a notice is missing:\n%s", got)
	}
}

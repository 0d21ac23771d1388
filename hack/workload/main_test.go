package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheShortestLifeOfTheMountedCredentialsIsTold(t *testing.T) {
	at := func(left time.Duration) string { return time.Now().Add(left).UTC().Format(time.RFC3339Nano) }
	for name, test := range map[string]struct {
		files   map[string]string
		seconds float64
	}{
		"of credential_process": {map[string]string{"credentials.json": `{"Version":1,"Expiration":"` + at(30*time.Second) + `"}`}, 30},
		"of a login cache":      {map[string]string{"ab12.json": `{"accessToken":{"expiresAt":"` + at(20*time.Second) + `"}}`}, 20},
		"of both": {map[string]string{
			"credentials.json": `{"Expiration":"` + at(30*time.Second) + `"}`,
			"ab12.json":        `{"accessToken":{"expiresAt":"` + at(-time.Second) + `"}}`,
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for file, content := range test.files {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			left, err := secondsLeft(folder)
			if err != nil || left > test.seconds || left < test.seconds-1 {
				t.Errorf("%v s are left (%v), want %v", left, err, test.seconds)
			}
		})
	}
	if left, err := secondsLeft(t.TempDir()); err == nil {
		t.Errorf("%v s are left to nothing", left)
	}
}

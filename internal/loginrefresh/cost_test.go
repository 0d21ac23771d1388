package loginrefresh

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// BenchmarkLogin is what a rotation costs here, but for the request to AWS.
func BenchmarkLogin(b *testing.B) {
	data := cacheWith(fields{"sessionToken": text(strings.Repeat("token", 300))})
	login := must(Parse(data))
	rotation := newCredentials()
	target := must(url.Parse("https://us-east-1.signin.aws.amazon.com/v1/token"))
	for _, step := range []struct {
		name string
		take func() error
	}{
		{"parse", func() error { _, err := Parse(data); return err }},
		{"rotate", func() error { _, err := login.Rotate(rotation); return err }},
		{"write", func() error { _ = login.Bytes(); return nil }},
		{"prove", func() error { _, err := proof(login.key.private, target, time.Now(), uuid.NewString()); return err }},
	} {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := step.take(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

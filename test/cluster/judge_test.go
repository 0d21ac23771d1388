package cluster

import (
	"strings"
	"testing"
	"time"
)

func TestWitnessComplains(t *testing.T) {
	for name, test := range map[string]struct{ line, of string }{
		"not of a call that works":              {`{"secondsLeft": 15.0, "arn": "arn:aws:iam::1:user/a", "accessKeyId": "ASIA1"}`, ""},
		"of a call that fails":                  {`{"secondsLeft": 30.0, "error": "expired", "accessKeyId": "ASIA1"}`, "a call failed: expired"},
		"of credentials with little life left":  {`{"secondsLeft": 14.9, "arn": "arn:aws:iam::1:user/a", "accessKeyId": "ASIA1"}`, "14.9 s are left"},
		"of a program that says something else": {`Traceback (most recent call last):`, "says"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &witness{promise: promised, keys: map[string]time.Time{}}
			w.hear([]byte(test.line), time.Now())
			said := strings.Join(w.against, "\n")
			if (said == "") != (test.of == "") || !strings.Contains(said, test.of) {
				t.Errorf("complains %q, want %q", said, test.of)
			}
		})
	}
}

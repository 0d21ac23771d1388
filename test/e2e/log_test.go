package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// logLine is what programs can rely on in the log.
type logLine struct {
	Level, Msg, Reason, Condition, Status, Message string
	LoginSession                                   struct{ Namespace, Name string }
}

func (s *stage) logLines(text string) (lines []logLine) {
	s.Helper()
	for line := range strings.Lines(text) {
		var parsed logLine
		if err := json.Unmarshal([]byte(line), &parsed); err != nil {
			s.Fatalf("%v: %s", err, line)
		}
		lines = append(lines, parsed)
	}
	return lines
}

func TestLogHasOneLineForATransitionAndNoneForARotation(t *testing.T) {
	s := newStage(t)
	p := s.start(nil)
	s.signIn()
	s.applySession("dev")
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	s.awaitRotations(1)
	before := p.output.String()
	s.awaitRotations(4)
	if more := strings.TrimPrefix(p.output.String(), before); more != "" {
		t.Errorf("three rotations are logged: %s", more)
	}
	s.aws.EndSession(alice)
	s.awaitReady("dev", metav1.ConditionFalse, "ReloginRequired")
	var told []logLine
	s.await("it is logged", func() bool {
		told = nil
		for _, line := range s.logLines(strings.TrimPrefix(p.output.String(), before)) {
			if line.Reason == "ReloginRequired" {
				told = append(told, line)
			}
		}
		return len(told) > 0
	})
	want := logLine{Level: "info", Msg: "transition", Reason: "ReloginRequired", Condition: "SessionActive", Status: "False", Message: told[0].Message}
	want.LoginSession.Namespace, want.LoginSession.Name = s.namespace, "dev"
	if len(told) != 1 || told[0] != want || !strings.Contains(want.Message, "aws login") {
		t.Errorf("told is %+v, want once %+v", told, want)
	}
}

package e2e

import (
	"sync/atomic"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"awslogin.dev/operator/internal/faultproxy"
	"awslogin.dev/operator/internal/loginrefresh"
)

// stagePending leaves an operator that has rotated a session and cannot write it
// back until the returned function is called.
func stagePending(t *testing.T) (s *stage, p *process, spent *loginrefresh.Login, mend func()) {
	t.Helper()
	return stagePendingOf(t, binary)
}

func stagePendingOf(t *testing.T, binary string) (s *stage, p *process, spent *loginrefresh.Login, mend func()) {
	t.Helper()
	s = stageRotation(t)
	s.binary = binary
	l := s.newLine()
	p = s.start(nil, l.environment...)
	s.awaitPublished()
	spent = s.stored()
	var mended atomic.Bool
	l.Judge(func(step string) faultproxy.Fault {
		if step != "PUT secrets/login" || mended.Load() {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Status: 500}
	})
	s.resume()
	s.await("the write-back is pending", func() bool {
		active := meta.FindStatusCondition(s.get("dev").Status.Conditions, "SessionActive")
		return active != nil && active.Reason == "WriteBackPending"
	})
	s.await("the next try is seconds away", func() bool { return l.saw("PUT secrets/login") >= 3 })
	return s, p, spent, func() { mended.Store(true) }
}

func TestSIGTERMWritesBackWhatIsPending(t *testing.T) {
	t.Parallel()
	s, p, spent, mend := stagePending(t)
	mend()
	p.stop(syscall.SIGTERM)
	if s.stored().Fingerprint() == spent.Fingerprint() {
		t.Fatal("the rotation has ended with the operator")
	}
	if code := p.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code is %d", code)
	}
	s.expectAlive()
}

func TestRotationIsWrittenBackThoughTheLoginSessionIsGone(t *testing.T) {
	t.Parallel()
	s, _, spent, mend := stagePending(t)
	s.must(api.Delete(s.ctx, s.get("dev")))
	mend()
	s.await("the rotation is written back", func() bool { return s.stored().Fingerprint() != spent.Fingerprint() })
	s.expectAlive()
}

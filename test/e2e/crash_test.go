package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"awslogin.dev/operator/internal/controlplane"
	"awslogin.dev/operator/internal/fakeaws"
	"awslogin.dev/operator/internal/faultproxy"
	"awslogin.dev/operator/internal/loginrefresh"
)

// crashPoint is a row of the table in docs/reliability.md: the operator is killed
// before a step of a rotation has reached the server, or after it was carried out.
type crashPoint struct {
	when, step       string
	refreshes, spent int
}

func crashPoints(t *testing.T) []crashPoint {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(controlplane.Root(), "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	var points []crashPoint
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 {
			continue
		}
		for i := range cells {
			cells[i] = strings.Trim(cells[i], " `")
		}
		refreshes, err := strconv.Atoi(cells[3])
		if (cells[1] != "before" && cells[1] != "after") || err != nil {
			continue
		}
		spent, err := strconv.Atoi(cells[4])
		if err != nil {
			t.Fatalf("row %q: %v", line, err)
		}
		points = append(points, crashPoint{cells[1], cells[2], refreshes, spent})
	}
	return points
}

// stageRotation leaves a suspended LoginSession with a published target whose
// credentials have less than 10 minutes left: due as soon as it is resumed.
func stageRotation(t *testing.T) *stage {
	t.Helper()
	var ago atomic.Int64
	ago.Store(int64(5*time.Minute + 10*time.Second))
	s := newStageWith(t, fakeaws.Options{Now: func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) }})
	s.signIn()
	ago.Store(0)
	s.applySession("dev", "suspend: true")
	return s
}

func (s *stage) awaitPublished() {
	s.Helper()
	s.await("the credentials are published and reported", func() bool {
		return s.secret("dev").Data["credentials.json"] != nil && s.get("dev").Status.Credentials != nil
	})
}

func (s *stage) resume() {
	s.Helper()
	s.applySession("dev", "suspend: false")
}

// watchTarget reads the target all the time, until the returned function is
// called, which fails the test if it ever held credentials with less than the
// promised life.
func (s *stage) watchTarget() (check func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	reads, worst := 0, time.Hour
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			var file struct{ Expiration time.Time }
			target := &corev1.Secret{}
			_ = api.Get(ctx, s.key("dev"), target) // read again in a moment
			if json.Unmarshal(target.Data["credentials.json"], &file) == nil {
				reads, worst = reads+1, min(worst, time.Until(file.Expiration))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return func() {
		cancel()
		<-done
		if reads == 0 || worst < 5*time.Minute {
			s.Errorf("of %d reads of the target, one found credentials with %s left", reads, worst)
		}
	}
}

// agree says whether the login cache, the target and the status are about the
// same credentials, which are not those before.
func (s *stage) agree(before *loginrefresh.Login) bool {
	return s.agreeSince(before.Credentials.AccessKeyID)
}

func (s *stage) agreeSince(before string) bool {
	stored := s.stored()
	id := stored.Credentials.AccessKeyID
	status := s.get("dev").Status
	return id != before && status.Credentials != nil && status.Credentials.AccessKeyID == id &&
		status.Session.Fingerprint == stored.Fingerprint() &&
		strings.Contains(string(s.secret("dev").Data["credentials.json"]), id)
}

func (s *stage) stored() *loginrefresh.Login {
	s.Helper()
	for _, data := range s.secret("login").Data {
		login, err := loginrefresh.Parse(data)
		s.must(err)
		return login
	}
	s.Fatal("there is no login cache")
	return nil
}

// expectAlive fails if the stored login cache is not the newest state of a session
// that lives. It spends its refresh token.
func (s *stage) expectAlive() {
	s.Helper()
	replayed := s.aws.Stats().Replayed
	client := &loginrefresh.Client{HTTP: http.DefaultClient, Endpoint: loginrefresh.Endpoint{URL: s.endpoint}, Now: time.Now}
	if _, err := client.Refresh(s.ctx, s.stored(), "us-east-1"); err != nil || s.aws.Stats().Replayed > replayed {
		s.Errorf("the session is lost: error %v, last refusal %s", err, s.aws.Stats().LastRefusal)
	}
}

func TestTheTableOfCrashPointsHasEveryStepOfARotation(t *testing.T) {
	s := stageRotation(t)
	l := s.newLine()
	s.start(nil, l.environment...)
	s.awaitPublished()
	before := s.stored()
	l.Forget()
	s.resume()
	s.await("the rotation is over", func() bool { return s.agree(before) })
	var want []string
	for _, point := range crashPoints(t) {
		if point.when == "before" {
			want = append(want, point.step)
		}
	}
	if got := l.rotation(); !slices.Equal(got, want) {
		t.Errorf("a rotation has the steps %q, the table %q", got, want)
	}
}

func TestSIGKILLAtEveryStepOfARotation(t *testing.T) {
	points := crashPoints(t)
	if len(points) < 12 {
		t.Fatalf("the table has only %d crash points", len(points))
	}
	for _, point := range points {
		t.Run(fmt.Sprint(point.when, " ", point.step), func(t *testing.T) {
			t.Parallel()
			s := stageRotation(t)
			s.killAndGoOn(point, s.binary)
		})
	}
}

// killAndGoOn kills the operator at a point of its rotation, and has another binary
// go on.
func (s *stage) killAndGoOn(point crashPoint, next string) {
	s.Helper()
	l := s.newLine()
	p := s.start(nil, l.environment...)
	s.awaitPublished()
	before := s.stored()
	check := s.watchTarget()
	kill := func() { p.stop(syscall.SIGKILL) }
	fault := faultproxy.Fault{Before: kill, Refuse: true}
	if point.when == "after" {
		fault = faultproxy.Fault{After: kill}
	}
	l.Judge(faultproxy.Once(point.step, fault))
	s.resume()
	s.await("the operator is killed", p.hasExited)

	s.binary = next
	s.start(nil)
	s.awaitReady("dev", metav1.ConditionTrue, "Refreshed")
	s.await("login cache, target and status agree", func() bool { return s.agree(before) })
	check()
	stats := s.aws.Stats()
	if stats.Requests != point.refreshes || stats.Replayed != point.spent || stats.Refused > 0 {
		s.Errorf("AWS had %d requests, %d of them with a spent token (refused: %d); the table says %d and %d",
			stats.Requests, stats.Replayed, stats.Refused, point.refreshes, point.spent)
	}
	s.expectAlive()
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

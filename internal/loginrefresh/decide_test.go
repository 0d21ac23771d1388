package loginrefresh

import (
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	minutes := func(m float64) time.Time { return noon.Add(time.Duration(m * float64(time.Minute))) }
	failedAt := func(m float64, outcome Outcome) *Failure {
		return &Failure{Outcome: outcome, Count: 1, At: minutes(m)}
	}
	s := schedule(15*time.Minute, 10*time.Minute) // due shortly before 12:05
	cases := map[string]struct {
		now       time.Time
		failure   *Failure
		requested bool
		refresh   bool
		at        time.Time
	}{
		"not before it is due":          {now: noon, at: s.DueAt()},
		"not a moment before it is due": {now: s.DueAt().Add(-1), at: s.DueAt()},
		"when it is due":                {now: s.DueAt(), refresh: true},
		"when it is overdue":            {now: s.OverdueAt(), refresh: true},
		"when the credentials expired":  {now: minutes(15), refresh: true},
		"when they expired long ago":    {now: minutes(24 * 60), refresh: true},
		"not while backing off":         {now: minutes(6), failure: failedAt(6, Retryable), at: s.RetryAt(*failedAt(6, Retryable))},
		"when the backoff is over":      {now: minutes(6.1), failure: failedAt(6, Retryable), refresh: true},
		"not when only the backoff of a refresh that was asked for early is over": {
			now: minutes(2), failure: failedAt(1, Retryable), at: s.DueAt(),
		},
		"not within 10 minutes where IAM denies it":      {now: minutes(16), failure: failedAt(6.5, Denied), at: minutes(16.5)},
		"after 10 minutes where IAM denies it":           {now: minutes(16.5), failure: failedAt(6.5, Denied), refresh: true},
		"never when the session is over":                 {now: minutes(60), failure: failedAt(6, SessionOver)},
		"when somebody asks":                             {now: noon, requested: true, refresh: true},
		"when somebody asks while it backs off":          {now: minutes(6), failure: failedAt(6, Rejected), requested: true, refresh: true},
		"when somebody asks though IAM denied it":        {now: minutes(7), failure: failedAt(6, Denied), requested: true, refresh: true},
		"not when somebody asks and the session is over": {now: minutes(6), failure: failedAt(6, SessionOver), requested: true},
		"when the credentials claim to live 17 minutes":  {now: minutes(-2), refresh: true},
		"when the clock went back an hour":               {now: minutes(-60), refresh: true},
		"not for a clock that went back 50 seconds":      {now: noon.Add(-50 * time.Second), at: s.DueAt()},
		"when the clock went back an hour while it backed off": {
			now: minutes(-54), failure: failedAt(6, Retryable), refresh: true,
		},
		"when the clock went back an hour where IAM denied it": {
			now: minutes(-54), failure: failedAt(6, Denied), refresh: true,
		},
		"never for a clock that went back when the session is over": {now: minutes(-54), failure: failedAt(6, SessionOver)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := s.Decide(c.now, c.failure, c.requested)
			if got.Refresh != c.refresh || !got.At.Equal(c.at) {
				t.Errorf("refresh %t, again at %s; want %t, %s (%s)", got.Refresh, got.At, c.refresh, c.at, got.Reason)
			}
			if got.Reason == "" {
				t.Error("no reason is given")
			}
			if !got.Refresh && !got.At.IsZero() && !got.At.After(c.now) {
				t.Errorf("decides again at once, for ever")
			}
		})
	}
}

func TestDecideRefreshesCredentialsThatLiveForYears(t *testing.T) {
	s := schedule(15*time.Minute, 10*time.Minute)
	s.ExpiresAt = endOfTime.Add(-time.Second)
	if got := s.Decide(noon, nil, false); !got.Refresh {
		t.Errorf("decided %+v", got)
	}
}

// A session whose refreshes all fail is tried often enough to use the life that
// its credentials have left, and not so often as to be a burden.
func TestAnOutageIsRiddenOut(t *testing.T) {
	for _, lifetime := range []time.Duration{15 * time.Minute, time.Minute, 12 * time.Second} {
		s := schedule(lifetime, 10*time.Minute)
		now, tries := s.DueAt(), 0
		var failure *Failure
		for now.Before(s.ExpiresAt) {
			decision := s.Decide(now, failure, false)
			if !decision.Refresh {
				now = decision.At
				continue
			}
			tries++
			failure = failure.Then(&ServiceError{Outcome: Retryable}, now)
		}
		if tries < 5 || tries > 30 {
			t.Errorf("credentials of %s: %d tries between due time and expiry", lifetime, tries)
		}
	}
}

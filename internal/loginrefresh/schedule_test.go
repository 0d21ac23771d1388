package loginrefresh

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// schedule is that of credentials issued at noon.
func schedule(lifetime, refreshBefore time.Duration) Schedule {
	return Schedule{ExpiresAt: noon.Add(lifetime), Lifetime: lifetime, RefreshBefore: refreshBefore, Seed: "a UID"}
}

func TestCredentialsThatClaimTooMuchLifeAreNotPublishable(t *testing.T) {
	s := schedule(15*time.Minute, 10*time.Minute)
	if !s.Publishable(noon.Add(-time.Minute)) {
		t.Error("a clock off by a minute is not tolerated")
	}
	if s.Publishable(noon.Add(-time.Minute - time.Second)) {
		t.Error("credentials are believed to live for more than 16 minutes")
	}
}

func TestScheduleTimes(t *testing.T) {
	cases := map[string]struct {
		lifetime, refreshBefore time.Duration
		due                     time.Duration // after noon, without jitter
		overdue, publishable    time.Duration // after noon
	}{
		"15 minutes, refreshed 10 minutes before": {15 * time.Minute, 10 * time.Minute, 5 * time.Minute, 10 * time.Minute, 14 * time.Minute},
		"15 minutes, refreshed 6 minutes before":  {15 * time.Minute, 6 * time.Minute, 9 * time.Minute, 10 * time.Minute, 14 * time.Minute},
		"10 minutes, refreshed 10 minutes before": {10 * time.Minute, 10 * time.Minute, 200 * time.Second, 400 * time.Second, 560 * time.Second},
		"an hour":                                {time.Hour, 10 * time.Minute, 40 * time.Minute, 55 * time.Minute, 59 * time.Minute},
		"30 minutes, refreshed 6 minutes before": {30 * time.Minute, 6 * time.Minute, 20 * time.Minute, 25 * time.Minute, 29 * time.Minute},
		"1 minute":                               {time.Minute, 10 * time.Minute, 20 * time.Second, 40 * time.Second, 56 * time.Second},
		"12 seconds":                             {12 * time.Second, 10 * time.Minute, 4 * time.Second, 8 * time.Second, 11200 * time.Millisecond},
		"1 second":                               {time.Second, 10 * time.Minute, time.Second / 3, 2 * time.Second / 3, 14 * time.Second / 15},
		"already no life":                        {0, 10 * time.Minute, 0, 0, 0},
		"not refreshed ahead":                    {15 * time.Minute, 0, 15 * time.Minute, 10 * time.Minute, 14 * time.Minute},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := schedule(c.lifetime, c.refreshBefore)
			if off := s.OverdueAt().Sub(noon.Add(c.overdue)); off.Abs() > time.Microsecond {
				t.Errorf("OverdueAt is off by %s", off)
			}
			until := noon.Add(c.publishable)
			if !s.Publishable(until.Add(-time.Microsecond)) || s.Publishable(until.Add(time.Microsecond)) {
				t.Errorf("they are not publishable until %s", until)
			}
			early := noon.Add(c.due).Sub(s.DueAt())
			if early < -time.Microsecond || early > min(30*time.Second, c.lifetime/30)+time.Microsecond {
				t.Errorf("DueAt is %s earlier than without jitter", early)
			}
		})
	}
}

func TestJitterOnlyMakesARefreshEarlierAndSpreadsItEvenly(t *testing.T) {
	for _, lifetime := range []time.Duration{15 * time.Minute, 12 * time.Second} {
		most := min(30*time.Second, lifetime/30)
		plain := noon.Add(lifetime - min(10*time.Minute, lifetime*2/3))
		var early []time.Duration
		for i := range 1000 {
			s := schedule(lifetime, 10*time.Minute)
			s.Seed = fmt.Sprintf("0b9c61b6-93a4-4d5d-9d7f-%012d", i)
			if !s.DueAt().Equal(s.DueAt()) {
				t.Fatal("DueAt is not deterministic")
			}
			early = append(early, plain.Sub(s.DueAt()))
		}
		slices.Sort(early)
		if early[0] < 0 || early[999] > most {
			t.Errorf("jitter of %s: between %s and %s, want between 0 and %s", lifetime, early[0], early[999], most)
		}
		for _, tenth := range []int{1, 3, 5, 7, 9} {
			want := most * time.Duration(tenth) / 10
			if got := early[tenth*100]; (got - want).Abs() > most/10 {
				t.Errorf("jitter of %s: %d of 1000 seeds are below %s, want about %s", lifetime, tenth*100, got, want)
			}
		}
		if distinct := len(slices.Compact(early)); distinct < 990 {
			t.Errorf("jitter of %s: %d of 1000 seeds differ", lifetime, distinct)
		}
	}
}

func TestRetryAtBacksOff(t *testing.T) {
	cases := map[string]struct {
		lifetime   time.Duration
		failure    Failure
		waitAround time.Duration // within 20 %
	}{
		"1 s after the first failure":                       {15 * time.Minute, Failure{Outcome: Retryable, Count: 1}, time.Second},
		"2 s after the second":                              {15 * time.Minute, Failure{Outcome: Retryable, Count: 2}, 2 * time.Second},
		"4 s after the third":                               {15 * time.Minute, Failure{Outcome: Retryable, Count: 3}, 4 * time.Second},
		"32 s after the sixth":                              {15 * time.Minute, Failure{Outcome: Retryable, Count: 6}, 32 * time.Second},
		"at most 1/20 of the lifetime":                      {15 * time.Minute, Failure{Outcome: Retryable, Count: 7}, 45 * time.Second},
		"the same after ever so many":                       {15 * time.Minute, Failure{Outcome: Retryable, Count: 1 << 30}, 45 * time.Second},
		"1 s after a failure that nobody counted":           {15 * time.Minute, Failure{Outcome: Retryable}, time.Second},
		"1 s for credentials of 12 s":                       {12 * time.Second, Failure{Outcome: Retryable, Count: 9}, time.Second},
		"1 s where the lifetime is unknown":                 {0, Failure{Outcome: Retryable, Count: 9}, time.Second},
		"1 s after a 400":                                   {15 * time.Minute, Failure{Outcome: Rejected, Count: 1}, time.Second},
		"128 s after the eighth 400":                        {15 * time.Minute, Failure{Outcome: Rejected, Count: 8}, 128 * time.Second},
		"at most 1/5 of the lifetime after a 400":           {15 * time.Minute, Failure{Outcome: Rejected, Count: 40}, 3 * time.Minute},
		"2.4 s after many 400s for credentials of 12 s":     {12 * time.Second, Failure{Outcome: Rejected, Count: 40}, 2400 * time.Millisecond},
		"1 s after a clock was found wrong":                 {15 * time.Minute, Failure{Outcome: ClockSkew, Count: 1}, time.Second},
		"as long as AWS asked":                              {15 * time.Minute, Failure{Outcome: Retryable, Count: 1, RetryAfter: 25 * time.Second}, 25 * time.Second},
		"longer than AWS asked where the backoff is longer": {15 * time.Minute, Failure{Outcome: Retryable, Count: 6, RetryAfter: time.Second}, 32 * time.Second},
		"at most 1/5 of the lifetime though AWS asked for a day": {
			15 * time.Minute, Failure{Outcome: Retryable, Count: 1, RetryAfter: 24 * time.Hour}, 3 * time.Minute,
		},
		"2.4 s though AWS asked for more than credentials of 12 s live": {
			12 * time.Second, Failure{Outcome: Retryable, Count: 1, RetryAfter: time.Minute}, 2400 * time.Millisecond,
		},
		"3 minutes at most for credentials of an hour": {time.Hour, Failure{Outcome: Retryable, Count: 40}, 3 * time.Minute},
		"10 minutes at most after a refusal":           {12 * time.Hour, Failure{Outcome: Rejected, Count: 40}, 10 * time.Minute},
		"10 minutes where IAM denies it":               {15 * time.Minute, Failure{Outcome: Denied, Count: 1}, 10 * time.Minute},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.failure.At = noon
			for _, seed := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				s := schedule(c.lifetime, 10*time.Minute)
				s.Seed = seed
				wait := s.RetryAt(c.failure).Sub(noon)
				if wait < time.Second || (wait-c.waitAround).Abs() > c.waitAround/5 {
					t.Errorf("seed %s waits %s, want %s within 20 %% and at least 1 s", seed, wait, c.waitAround)
				}
			}
		})
	}
}

func TestRetriesOfManySessionsAreSpread(t *testing.T) {
	waits := map[time.Duration]bool{}
	for i := range 100 {
		s := schedule(15*time.Minute, 10*time.Minute)
		s.Seed = fmt.Sprint(i)
		waits[s.RetryAt(Failure{Outcome: Retryable, Count: 5, At: noon}).Sub(noon).Truncate(10*time.Millisecond)] = true
	}
	if len(waits) < 80 {
		t.Errorf("100 sessions that failed together return at %d times", len(waits))
	}
}

func TestASessionThatIsOverIsNeverTriedAgain(t *testing.T) {
	if at := schedule(15*time.Minute, 10*time.Minute).RetryAt(Failure{Outcome: SessionOver, Count: 1, At: noon, RetryAfter: 1}); !at.IsZero() {
		t.Errorf("tried again at %s", at)
	}
}

func TestThenCountsFailuresInARow(t *testing.T) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	var f *Failure
	f = f.Then(&ServiceError{Outcome: Retryable, RetryAfter: time.Minute}, at(0))
	if *f != (Failure{Outcome: Retryable, Count: 1, At: at(0), RetryAfter: time.Minute}) {
		t.Errorf("the first failure is %+v", *f)
	}
	first := *f
	f = f.Then(&ServiceError{Outcome: Rejected}, at(1))
	if *f != (Failure{Outcome: Rejected, Count: 2, At: at(1)}) {
		t.Errorf("the second failure is %+v", *f)
	}
	if first.Count != 1 {
		t.Error("the first failure changed")
	}
}

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"awslogin.dev/operator/hack/show"
)

// fault is one thing that goes wrong for a while.
//
// The promise leaves a third of the lifetime for trouble: from when a refresh is due,
// with two thirds left, until it is overdue, with one third. A fault lasts at most a
// sixth, and the rest after it is long enough for every session that it hit to be
// refreshed: a soak that allowed less would break the promise by itself.
type fault struct {
	name   string
	weight int
	// longest and rest divide the lifetime. A fault lasts between half of it and all.
	longest, rest float64
	strike        func(context.Context, *strike) error
}

const (
	long, medium, short = 6, 12, 20
	// afterRetry is for what is tried again within lifetime/20; half may do.
	afterRetry = 6
	// afterAPI is for what several requests of one rotation may run into, one after the
	// other, and afterHeavy for what takes the Kubernetes client's watches or a leader
	// away, too. Neither is cut.
	afterAPI, afterHeavy = 5, 4
)

// faults are all that can go wrong; a round has each as often as its weight says.
func faults() []fault {
	return append(append(append(faultsOfAWS(), faultsOfAPI()...), faultsOfReplicas()...), faultsOfPeople()...)
}

// strike is a fault that happens now.
type strike struct {
	*soak
	lasts time.Duration

	mu     sync.Mutex
	chance *rand.Rand
	hits   int // requests that went wrong, or objects
}

// roll decides, from many requests at once, whether one is hit. most bounds the
// hits; 0 does not.
func (s *strike) roll(share float64, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if (most > 0 && s.hits >= most) || s.chance.Float64() >= share {
		return false
	}
	s.hits++
	return true
}

func (s *strike) number(below int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chance.IntN(below)
}

func (s *strike) hitCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// strikeAgainAndAgain goes through rounds of all faults in an order that the seed
// decides, until the duration is over.
func (k *soak) strikeAgainAndAgain(ctx context.Context) error {
	end := time.Now().Add(k.duration)
	for n := uint64(0); ; {
		order := k.round(n)
		for _, f := range order {
			if !time.Now().Before(end) {
				return nil
			}
			n++
			if err := k.happen(ctx, n, f); err != nil {
				return err
			}
		}
	}
}

// round shuffles faults; n makes each round another one.
func (k *soak) round(n uint64) []fault {
	var round []fault
	for _, f := range faults() {
		for range f.weight {
			round = append(round, f)
		}
	}
	chance := rand.New(rand.NewPCG(k.seed, n))
	chance.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
	return round
}

// happen lets fault number n happen, and rests. What it draws depends on the seed
// and the number alone; which requests it hits depends on when they come, too.
func (k *soak) happen(ctx context.Context, n uint64, f fault) error {
	chance := rand.New(rand.NewPCG(k.seed, 1<<32+n))
	lasts, rest := between(chance, k.share(f.longest)), between(chance, k.share(f.rest))
	if f.rest != afterRetry {
		rest = k.share(f.rest)
	}
	k.Say("fault %d: %s (%s)", n, f.name, seconds(lasts))
	before, err := k.countTokens(ctx)
	if err != nil {
		return err
	}
	s := &strike{soak: k, chance: chance, lasts: lasts}
	k.trouble.begin(f.name)
	err = f.strike(ctx, s)
	k.trouble.end(s.hitCount())
	if err != nil {
		return fmt.Errorf("let it happen that %s: %w", f.name, err)
	}
	if err := show.Sleep(ctx, rest); err != nil {
		return err
	}
	return k.judgeTokens(ctx, before)
}

// between half of the longest and all of it.
func between(chance *rand.Rand, longest time.Duration) time.Duration {
	return longest/2 + time.Duration(chance.Int64N(int64(longest/2)))
}

// trouble is the fault of the moment, and what there has been of each.
type trouble struct {
	mu      sync.Mutex
	name    string
	active  bool
	changed time.Time
	total   int
	tally   map[string]tally
}

// tally counts a fault's strikes, and the requests or objects that they hit.
type tally struct{ times, hits int }

func (t *trouble) begin(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.name, t.active, t.changed = name, true, time.Now()
	t.total++
}

func (t *trouble) end(hits int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active, t.changed = false, time.Now()
	if t.tally == nil {
		t.tally = map[string]tally{}
	}
	before := t.tally[t.name]
	t.tally[t.name] = tally{before.times + 1, before.hits + hits}
}

// describe says what goes wrong now, or did last.
func (t *trouble) describe() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch since := seconds(time.Since(t.changed)); {
	case t.name == "":
		return "before any fault"
	case t.active:
		return since + " into: " + t.name
	default:
		return since + " after: " + t.name
	}
}

func (t *trouble) happened(name string) tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tally[name]
}

func (t *trouble) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

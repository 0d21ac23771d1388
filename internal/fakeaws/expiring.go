package fakeaws

import "time"

// expiring is a map that forgets each entry at a time of its own, so that a server that runs for long stays small. The
// zero value is empty and ready.
type expiring[V any] struct {
	entries map[string]entry[V]
	sweepAt int // the number of entries at which the dead ones are looked for next
}

type entry[V any] struct {
	value V
	until time.Time // the zero time: never forgotten
}

func (e entry[V]) dead(now time.Time) bool {
	return !e.until.IsZero() && !now.Before(e.until)
}

func (m *expiring[V]) get(key string, now time.Time) (V, bool) {
	e, ok := m.entries[key]
	if !ok || e.dead(now) {
		var none V
		return none, false
	}
	return e.value, true
}

func (m *expiring[V]) put(key string, value V, now, until time.Time) {
	if len(m.entries) >= m.sweepAt {
		m.sweep(now)
	}
	m.entries[key] = entry[V]{value: value, until: until}
}

// sweep runs each time the map has doubled, so that its cost per entry is constant.
func (m *expiring[V]) sweep(now time.Time) {
	if m.entries == nil {
		m.entries = map[string]entry[V]{}
	}
	for key, e := range m.entries {
		if e.dead(now) {
			delete(m.entries, key)
		}
	}
	m.sweepAt = 2*len(m.entries) + 64
}

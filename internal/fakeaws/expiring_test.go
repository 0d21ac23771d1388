package fakeaws

import (
	"strconv"
	"testing"
	"time"
)

func TestExpiringForgetsWhatIsOver(t *testing.T) {
	var m expiring[int]
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	m.put("for good", 1, now, time.Time{})
	m.put("for a minute", 2, now, now.Add(time.Minute))
	if _, ok := m.get("for a minute", now.Add(time.Minute-1)); !ok {
		t.Error("forgot an entry before its time")
	}
	if _, ok := m.get("for a minute", now.Add(time.Minute)); ok {
		t.Error("remembered an entry beyond its time")
	}
	if v, ok := m.get("for good", now.Add(time.Hour)); !ok || v != 1 {
		t.Error("forgot an entry that has no time")
	}
}

func TestExpiringStaysSmall(t *testing.T) {
	var m expiring[int]
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range 100_000 {
		now = now.Add(time.Second)
		m.put(strconv.Itoa(i), i, now, now.Add(time.Minute))
	}
	if n := len(m.entries); n > 300 {
		t.Errorf("%d entries, though only 60 live at once", n)
	}
}

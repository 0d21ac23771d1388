package faultproxy

import (
	"net/http"
	"slices"
	"sync"
)

// Line is one program's way to all its servers. It knows requests by their steps:
// it records them, and a judge of steps decides what becomes of them.
type Line struct {
	// Notice is told of every step as it comes; set it before the line is laid.
	Notice func(step string)

	mutex sync.Mutex
	judge func(step string) Fault
	steps []string
}

// Lay makes the line lead through a proxy.
func (l *Line) Lay(proxy *Proxy) {
	proxy.Judge(func(r *http.Request) Fault { return l.see(Step(r)) })
}

func (l *Line) see(step string) Fault {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.steps = append(l.steps, step)
	if l.Notice != nil {
		l.Notice(step)
	}
	if l.judge == nil {
		return Fault{}
	}
	return l.judge(step)
}

// Judge sets who decides from now on, one step at a time; nil lets all pass.
func (l *Line) Judge(judge func(step string) Fault) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.judge = judge
}

// Steps since the last call of Forget.
func (l *Line) Steps() []string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return slices.Clone(l.steps)
}

// Forget the steps so far.
func (l *Line) Forget() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.steps = nil
}

// Once is a judge that lets one step go wrong, the first time.
func Once(step string, fault Fault) func(step string) Fault {
	done := false
	return func(next string) Fault {
		if done || next != step {
			return Fault{}
		}
		done = true
		return fault
	}
}

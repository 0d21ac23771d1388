package main

import (
	"math"
	"time"
)

// Report is one run of the benchmark.
type Report struct {
	Begun       time.Time `json:"begun"`
	Machine     `json:"machine"`
	Concurrency int       `json:"concurrency"`
	Results     []*Result `json:"results"`
	Foreign     *Foreign  `json:"foreign,omitempty"`

	BrokenPromises int `json:"brokenPromises"`
}

// Machine is what the figures were taken on. Load averages are of the last minute.
type Machine struct {
	Cores      int     `json:"cores"`
	LoadBefore float64 `json:"loadBefore"`
	LoadAfter  float64 `json:"loadAfter"`
}

// Result is what was measured with one number of LoginSessions. Times are in seconds.
type Result struct {
	Sessions        int `json:"sessions"`
	LoginCacheBytes int `json:"loginCacheBytes"`
	TargetBytes     int `json:"targetBytes"`

	Floors []Cost `json:"floors"` // of the bare client: before the burst, and after it
	Burst  Cost   `json:"burst"`  // all due at once
	Memory Memory `json:"memory"`

	FirstReady float64 `json:"firstReady"` // since the start of an operator that finds all LoginSessions new
	LastReady  float64 `json:"lastReady"`

	Restart Restart `json:"restart"`
	Cycles  Cycles  `json:"cycles"`

	Ratios Ratios `json:"ratios"`
}

// Ratios are the operator's figures, with all due at once, as multiples of the bare client's.
type Ratios struct {
	PerSecond    float64 `json:"perSecond"`
	CPU          float64 `json:"cpu"`
	APIServerCPU float64 `json:"apiServerCPU"`
	Requests     float64 `json:"requests"`

	BytesPerSession float64 `json:"bytesPerSession"` // resident, beyond the empty operator
}

// Cost is what a rotation takes.
type Cost struct {
	PerSecond    float64  `json:"perSecond"`    // rotations
	CPU          float64  `json:"cpu"`          // seconds of the operator or bare client, for one
	Allocated    float64  `json:"allocated"`    // bytes of the operator, for one
	APIServerCPU float64  `json:"apiServerCPU"` // seconds, for one
	Requests     requests `json:"requests"`     // to the API server, for one
}

// Memory is what the operator has resident, in bytes.
type Memory struct {
	Idle    uint64 `json:"idle"`    // without LoginSessions
	Burst   uint64 `json:"burst"`   // some time after the burst
	Most    uint64 `json:"most"`    // in the burst and before
	Restart uint64 `json:"restart"` // some time after a restart with nothing due
}

// Restart is a start of the operator when nothing is due.
type Restart struct {
	Took      float64 `json:"took"`      // until its last request, in seconds
	Writes    float64 `json:"writes"`    // to the API server, per LoginSession
	Requests  float64 `json:"requests"`  // of all kinds, per LoginSession
	Refreshes int     `json:"refreshes"` // of all LoginSessions
}

// Cycles are two rotations of each LoginSession in a steady state, with credentials that
// live shorter than AWS's so that the load is real.
type Cycles struct {
	Cost
	Lifetime    float64   `json:"lifetime"`    // of credentials, in seconds
	Load        float64   `json:"load"`        // share of the rotations per second of the burst
	Left        float64   `json:"left"`        // first percentile of the life left on replaced credentials
	NewSessions []float64 `json:"newSessions"` // how long new LoginSessions took to become Ready
	AWSRequests float64   `json:"awsRequests"` // per LoginSession and hour, with AWS's lifetime
}

// Foreign is an operator beside Secrets that are none of its business.
type Foreign struct {
	Sessions int    `json:"sessions"`
	Secrets  int    `json:"secrets"`
	Now      uint64 `json:"now"`  // bytes resident
	Most     uint64 `json:"most"` // bytes resident
}

// floor is the mean of the bare client's runs: what else the machine does changes.
func (r *Result) floor() Cost {
	mean := Cost{Requests: requests{}}
	for _, run := range r.Floors {
		share := 1 / float64(len(r.Floors))
		mean.PerSecond += share * run.PerSecond
		mean.CPU += share * run.CPU
		mean.APIServerCPU += share * run.APIServerCPU
		for kind, count := range run.Requests {
			mean.Requests[kind] += share * count
		}
	}
	return mean
}

func (r *Result) ratios() Ratios {
	floor := r.floor()
	return Ratios{
		PerSecond:       r.Burst.PerSecond / floor.PerSecond,
		CPU:             r.Burst.CPU / floor.CPU,
		APIServerCPU:    r.Burst.APIServerCPU / floor.APIServerCPU,
		Requests:        r.Burst.Requests.total() / floor.Requests.total(),
		BytesPerSession: (float64(r.Memory.Burst) - float64(r.Memory.Idle)) / float64(r.Sessions),
	}
}

// late is how much less than the life at which they are due replaced credentials have left.
func (c Cycles) late() float64 { return max(0, c.Lifetime*2/3-c.Left) }

// leftAtAWS scales the life left to AWS's lifetime: what is due earlier is due in
// proportion, what comes late does so by the same seconds, as long as the operator has
// no more to do.
func (c Cycles) leftAtAWS() float64 { return awsLifetime.Seconds()*2/3 - c.late() }

// lifetimeFor is a lifetime with which so many LoginSessions take half of the rotations
// per second. Under 30 s some fixed waits of the operator would weigh too much.
func lifetimeFor(sessions int, perSecond float64) time.Duration {
	const load = 0.5
	period := float64(sessions) / (load * perSecond)
	seconds := math.Ceil(3 * period) // a refresh is due with two thirds left
	return min(max(time.Duration(seconds)*time.Second, 30*time.Second), awsLifetime)
}

// awsRequestsPerHour scales requests of some time to AWS's lifetime.
func awsRequestsPerHour(requests, sessions int, took, lifetime time.Duration) float64 {
	scale := lifetime.Seconds() / awsLifetime.Seconds()
	return float64(requests) / float64(sessions) / took.Hours() * scale
}

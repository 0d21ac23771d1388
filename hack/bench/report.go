package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"awslogin.dev/operator/hack/show"
)

// write keeps the figures.
func (r *Report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

// columns are a table with one column for each number of LoginSessions.
type columns struct {
	*tabwriter.Writer
	results []*Result
}

func (c columns) row(name string, cell func(*Result) string) {
	cells := []string{name}
	for _, result := range c.results {
		cells = append(cells, cell(result))
	}
	_, _ = fmt.Fprintln(c, strings.Join(cells, "\t"))
}

func (c columns) heading(text string) { _, _ = fmt.Fprintf(c, "\n%s\n", text) }

// table is the report for people.
func (r *Report) table() string {
	var buffer bytes.Buffer
	c := columns{tabwriter.NewWriter(&buffer, 0, 0, 2, ' ', 0), r.Results}
	_, _ = fmt.Fprintf(c, "%d cores, load average %.1f before and %.1f after, %d reconciles at once\n\n",
		r.Cores, r.LoadBefore, r.LoadAfter, r.Concurrency)
	c.row("LoginSessions", func(r *Result) string { return fmt.Sprint(r.Sessions) })
	c.row("login cache, target", func(r *Result) string {
		return fmt.Sprintf("%.1f KB, %.1f KB", float64(r.LoginCacheBytes)/1e3, float64(r.TargetBytes)/1e3)
	})
	c.rotationRows()
	c.requestRows()
	c.memoryRows()
	c.timeRows()
	c.cycleRows()
	_ = c.Flush()
	if f := r.Foreign; f != nil {
		fmt.Fprintf(&buffer, "\nMemory for %d LoginSessions beside %d foreign Secrets of 1 MB: %s, %s at most; must be below 64 MiB\n",
			f.Sessions, f.Secrets, mebibytes(f.Now), mebibytes(f.Most))
	}
	return buffer.String()
}

func (c columns) rotationRows() {
	c.heading("All due at once; in brackets as a multiple of the bare client's")
	c.row("bare client: rotations per second, CPU per rotation", func(r *Result) string {
		return fmt.Sprintf("%.0f, %.1f ms", r.floor().PerSecond, 1e3*r.floor().CPU)
	})
	c.row("rotations per second", func(r *Result) string { return multiple("%.0f", r.Burst.PerSecond, r.Ratios.PerSecond) })
	c.row("operator's CPU per rotation", func(r *Result) string { return multiple("%.1f ms", 1e3*r.Burst.CPU, r.Ratios.CPU) })
	c.row("operator's allocations per rotation", func(r *Result) string { return fmt.Sprintf("%.0f KB", r.Burst.Allocated/1e3) })
	c.row("API server's CPU per rotation", func(r *Result) string {
		return multiple("%.1f ms", 1e3*r.Burst.APIServerCPU, r.Ratios.APIServerCPU)
	})
	c.row("API requests per rotation", func(r *Result) string {
		return multiple("%.1f", r.Burst.Requests.total(), r.Ratios.Requests)
	})
}

// requestRows are of all kinds that anybody made, but for those hardly ever made.
func (c columns) requestRows() {
	c.heading("API requests per rotation: in the steady state, all due at once, by the bare client")
	kinds := map[string]bool{}
	for _, result := range c.results {
		for _, cost := range []Cost{result.Cycles.Cost, result.Burst, result.floor()} {
			for kind, count := range cost.Requests {
				kinds[kind] = kinds[kind] || count > 0.02
			}
		}
	}
	maps.DeleteFunc(kinds, func(_ string, often bool) bool { return !often })
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		c.row(kind, func(r *Result) string {
			return fmt.Sprintf("%.2f, %.2f, %.2f", r.Cycles.Requests[kind], r.Burst.Requests[kind], r.floor().Requests[kind])
		})
	}
}

func (c columns) memoryRows() {
	c.heading("The operator's resident memory")
	c.row("without LoginSessions", func(r *Result) string { return mebibytes(r.Memory.Idle) })
	c.row("some time after all were due at once", func(r *Result) string { return mebibytes(r.Memory.Burst) })
	c.row("  per session beyond the empty operator", func(r *Result) string { return fmt.Sprintf("%.1f KiB", r.Ratios.BytesPerSession/(1<<10)) })
	c.row("at most", func(r *Result) string { return mebibytes(r.Memory.Most) })
	c.row("after a restart with nothing due", func(r *Result) string { return mebibytes(r.Memory.Restart) })
}

func (c columns) timeRows() {
	c.heading("Starts")
	c.row("all LoginSessions new: first and last Ready", func(r *Result) string {
		return seconds(r.FirstReady) + ", " + seconds(r.LastReady)
	})
	c.row("nothing due: done after", func(r *Result) string { return seconds(r.Restart.Took) })
	c.row("  API writes per session", func(r *Result) string { return fmt.Sprintf("%.2f", r.Restart.Writes) })
	c.row("  API requests per session", func(r *Result) string { return fmt.Sprintf("%.2f", r.Restart.Requests) })
	c.row("  refreshes", func(r *Result) string { return fmt.Sprint(r.Restart.Refreshes) })
}

func (c columns) cycleRows() {
	c.heading("Two rotations of each, spread evenly")
	c.row("lifetime of credentials, for AWS's 15 min", func(r *Result) string { return seconds(r.Cycles.Lifetime) })
	c.row("rotations per second", func(r *Result) string {
		return fmt.Sprintf("%.1f, %.0f %% of the most", r.Cycles.PerSecond, 100*r.Cycles.Load)
	})
	c.row("operator's CPU per rotation", func(r *Result) string { return multiple("%.1f ms", 1e3*r.Cycles.CPU, r.Cycles.CPU/r.floor().CPU) })
	c.row("life left when replaced, first percentile", func(r *Result) string {
		return fmt.Sprintf("%s, due with %s", seconds(r.Cycles.Left), seconds(r.Cycles.Lifetime*2/3))
	})
	c.row("  so late by at most", func(r *Result) string { return seconds(r.Cycles.late()) })
	c.row("  with AWS's lifetime: 10 min less that", func(r *Result) string {
		return time.Duration(r.Cycles.leftAtAWS() * float64(time.Second)).Round(100 * time.Millisecond).String()
	})
	c.row("a new LoginSession is Ready after: median, longest", func(r *Result) string {
		return fmt.Sprintf("%.0f ms, %.0f ms", 1e3*show.Quantile(r.Cycles.NewSessions, 0.5), 1e3*show.Quantile(r.Cycles.NewSessions, 1))
	})
	c.row("AWS requests per session and hour, with AWS's lifetime", func(r *Result) string { return fmt.Sprintf("%.1f", r.Cycles.AWSRequests) })
}

// multiple shows a figure and, in brackets, how many times the bare client's it is.
func multiple(format string, value, times float64) string {
	return fmt.Sprintf(format+" (%.2f)", value, times)
}

func mebibytes(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }

package sdks_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"
)

// measured is the number of calls by which a program is measured.
const measured = 200

// row is a line of the table.
type row struct {
	*cell
	spawns int // in 1000 calls
	median time.Duration
}

// measureAll runs the programs that work once more, one at a time, in real time.
func measureAll(t *testing.T, cells []*cell) (rows []row) {
	for _, c := range cells {
		r := row{cell: c}
		if c.want == works {
			r.spawns, _ = c.measure(t, c.variables)
			uncounted := map[string]string{"PATH": "/usr/bin:/bin"} // counting takes time
			maps.Copy(uncounted, c.variables)
			_, r.median = c.measure(t, uncounted)
		}
		rows = append(rows, r)
	}
	return rows
}

// measure returns how many processes credential_process starts in 1000 calls, and
// how long a call takes.
func (c *cell) measure(t *testing.T, variables map[string]string) (spawns int, median time.Duration) {
	again := c.sdk
	again.variables = variables
	pod, program := alone(t, again, c.argv, c.pod.world.terms, c.pod.format)
	defer program.Close()
	calls := measured
	if c.command {
		calls = 5
	}
	took := []time.Duration{c.timed(t, program)}
	atStart := pod.started(t)
	for range calls - 1 {
		took = append(took, c.timed(t, program))
	}
	slices.Sort(took)
	later := pod.started(t) - atStart
	return atStart + later*999/(calls-1), took[calls/2]
}

// alone starts a program in real time, with credentials that were just issued.
func alone(t *testing.T, s sdk, argv []string, terms terms, format string) (*pod, asker) {
	t.Helper()
	w := newWorld(t, terms, 1, 1)
	c := &cell{sdk: s, argv: argv, pod: newPod(t, w, format)}
	if err := w.publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.mount(t.Context(), c.pod); err != nil {
		t.Fatal(err)
	}
	program, err := c.start()
	if err != nil {
		t.Fatal(err)
	}
	return c.pod, program
}

func (c *cell) timed(t *testing.T, program asker) time.Duration {
	t.Helper()
	asked := time.Now()
	if _, err := program.Ask(); err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return time.Since(asked)
}

func printTable(rows []row) {
	lines := "SDK\tversion\tformat\tlife\tverdict\tcalls\tfailed\trotations\tkeys\tleast left\tcat/1000\tms/call\n"
	for _, r := range rows {
		lines += fmt.Sprintf("%s\t%s\t%s\t%.0f min\t%s\t%d\t%d", r.name, r.version, r.pod.format, r.pod.world.life.Minutes(), r.verdict(), r.calls, r.failed)
		if r.want == works {
			lines += fmt.Sprintf("\t%d\t%d\t%s\t%d\t%.1f", r.lived(), len(r.pod.keys), r.pod.least.Round(time.Second), r.spawns, r.median.Seconds()*1000)
		}
		lines += "\n"
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = io.WriteString(w, lines)
	_ = w.Flush()
}

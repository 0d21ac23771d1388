package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"awslogin.dev/operator/api/v1alpha1"
	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/loginrefresh"
)

// tellProgress prints a line every ten seconds.
func (k *soak) tellProgress(ctx context.Context) {
	for show.Sleep(ctx, 10*time.Second) == nil && k.measuring() {
		counts, broken := k.findings.soFar()
		unwell, err := k.unwell(ctx, func(*v1alpha1.LoginSession) string { return "" })
		if err != nil {
			continue // the end of the soak, or the next line tells
		}
		k.Say("  %d faults, %d reads, least life left %s (promised %s), %d refreshes, %d Ready, %d not, %d violations", k.trouble.count(), counts.reads,
			seconds(counts.worst), seconds(k.promised()), k.aws.Stats().Rotated, k.sessions-len(unwell), len(unwell), len(broken))
	}
}

// conclude reports, and is an error where a promise was broken.
func (k *soak) conclude(context.Context) error {
	text := k.table()
	fmt.Printf("\n%s\n", text)
	if k.report != "" {
		if err := os.WriteFile(k.report, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	k.judgeAWS()
	_, broken := k.findings.soFar()
	if len(broken) == 0 {
		fmt.Println("Every promise was kept.")
		return nil
	}
	k.show(broken)
	return fmt.Errorf("promises were broken %d times; -seed %d repeats the schedule of faults", len(broken), k.seed)
}

// judgeAWS looks at what AWS saw. Two requests of one session at once are allowed
// for a replica that was killed or frozen with one under way; more are not.
func (k *soak) judgeAWS() {
	stats := k.aws.Stats()
	if stats.Refused > 0 {
		k.findings.add(k.violation("AWS", fmt.Sprintf("refused %d requests, the last because %s", stats.Refused, stats.LastRefusal)))
	}
	if stats.MaxInFlight > 2 {
		k.findings.add(k.violation("AWS Sign-In", fmt.Sprintf("had %d requests of one session at once", stats.MaxInFlight)))
	}
}

// table is the report.
func (k *soak) table() string {
	var buffer bytes.Buffer
	w := tabwriter.NewWriter(&buffer, 0, 0, 2, ' ', 0)
	row := func(name, format string, values ...any) {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, values...))
	}
	m, stats := &k.measured, k.aws.Stats()
	f, _ := k.findings.soFar()
	soaked, ideal := m.ended.Sub(m.begun), k.idealRefreshes()
	row("seed", "%d", k.seed)
	row("time", "%s, which stands for %.1f hours", soaked.Round(time.Second), k.real(soaked).Hours())
	row("LoginSessions", "%d, with %d login caches; %d assume a role", len(k.members), len(k.logins), k.assumers())
	row("lifetime of credentials", "%s, for AWS's 15 minutes", k.lifetime)
	row("starts of the replicas", "a %d, b %d", k.replicas[0].startCount(), k.replicas[1].startCount())
	row("changes of leader", "%d", m.leaders)
	row("reads of targets", "%d", f.reads)
	row("  with less life than promised", "%d", f.short)
	row("  least life left", "%s, %.1f %% of the lifetime, for %.1f of 15 minutes (promised: 5)", seconds(f.worst),
		100*float64(f.worst)/float64(k.lifetime), k.real(f.worst).Minutes())
	row("  of expired credentials", "%d", f.expired)
	row("  missing, incomplete or inconsistent", "%d", f.wrong)
	row("life left when replaced", "p1 %s, p50 %s", seconds(k.findings.quantile(0.01)), seconds(k.findings.quantile(0.5)))
	row("calls of AWS STS", "%d", f.calls)
	row("  refused, or as somebody else", "%d", f.refused)
	row("refreshes", "%d", m.rotated)
	row("  without any fault", "%.0f", ideal)
	row("  extra", "%+.1f %%", 100*(float64(m.rotated)/ideal-1))
	row("roles assumed", "%d times", stats.RolesAssumed)
	row("requests to AWS Sign-In", "%d", m.requests)
	row("  with a spent refresh token", "%d, after %d replies that were lost", m.replayed, k.lostReplies.Load())
	row("  refused by AWS itself", "%d", stats.Refused)
	row("  of one session at once", "%d at most", stats.MaxInFlight)
	row("LoginSessions not well at the end", "%d", k.unwellAtEnd)
	row("sessions lost", "%d", k.lost)
	row("\nfaults", "%d", k.trouble.count())
	for _, fault := range faults() {
		if t := k.trouble.happened(fault.name); t.times > 0 {
			row("  "+fault.name, "%d, hits %d", t.times, t.hits)
		}
	}
	_ = w.Flush()
	return buffer.String()
}

func (k *soak) assumers() (count int) {
	for _, m := range k.members {
		if m.role {
			count++
		}
	}
	return count
}

// idealRefreshes is how often the logins are due in the time that was measured.
func (k *soak) idealRefreshes() float64 {
	const rounding = time.Second / 2 // on the average: expiries are whole seconds
	issued := time.Unix(0, 0)
	var sum float64
	for _, l := range k.logins {
		interval := k.lifetime
		for _, m := range l.members {
			schedule := loginrefresh.Schedule{
				ExpiresAt: issued.Add(k.lifetime), Lifetime: k.lifetime, RefreshBefore: 10 * time.Minute, Seed: string(m.uid)}
			interval = min(interval, schedule.DueAt().Sub(issued))
		}
		sum += float64(k.measured.ended.Sub(k.measured.begun)) / float64(interval-rounding)
	}
	return sum
}

// show prints the first broken promises, and what the operators logged before.
func (k *soak) show(broken []*violation) {
	const shown = 20
	fmt.Println("The first broken promises:")
	for _, v := range broken[:min(shown, len(broken))] {
		fmt.Println(v)
	}
	moment := k.Begun.Add(broken[0].at)
	for _, r := range k.replicas {
		fmt.Printf("\nWhat replica %s logged until the first one:\n", r.name)
		for _, line := range logUntil(r.log, moment) {
			fmt.Println("  " + line)
		}
	}
}

// logUntil is the last lines of a log before a moment, without those that have no
// time: what the Kubernetes client prints by itself.
func logUntil(path string, moment time.Time) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		var entry struct{ TS time.Time }
		if json.Unmarshal([]byte(line), &entry) == nil && !entry.TS.After(moment) {
			lines = append(lines, strings.TrimSpace(line[:min(400, len(line))]))
		}
	}
	return lines[max(0, len(lines)-15):]
}

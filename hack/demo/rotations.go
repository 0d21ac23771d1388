package main

import (
	"context"
	"fmt"
	"time"

	"awslogin.dev/operator/hack/show"
	"awslogin.dev/operator/internal/fakeaws"
)

// rotation is one line of the table.
type rotation struct {
	number int
	next   credentials
	left   time.Duration // on the credentials in the volume, when the next ones were published
	delay  time.Duration // until the volume had them
	spent  string        // fingerprints of the refresh token before and after
	fresh  string
}

const columns = "%8s  %-20s  %13s  %11s  %-20s  %s"

// tell prints the rotation's line, below the head of the table if it is the first.
func (d *demo) tell(r rotation) {
	if r.number == 1 {
		d.Below("\n" + fmt.Sprintf(columns, "rotation", "new access key", "old one had", "mounted", "refresh token", "workload"))
		d.Below(fmt.Sprintf(columns, "", "", "still to live", "after", "(fingerprints)", "so far"))
	}
	calls, failed, _, _ := d.workload.result()
	d.Say(columns, fmt.Sprint(r.number), r.next.AccessKeyID, seconds(r.left), seconds(r.delay),
		r.spent+" > "+r.fresh, fmt.Sprintf("%d calls, %d failed", calls, failed))
}

// watchRotations lets the rotations tell of themselves.
func (d *demo) watchRotations(ctx context.Context) error {
	d.Say("watching for %s; each line is a rotation that has reached the workload's files", seconds(d.duration))
	return show.Sleep(ctx, d.duration)
}

// summarize says how it went, and is an error where it did not go well.
func (d *demo) summarize(context.Context) error {
	rotations, shortest := d.kubelet.result()
	calls, failed, keys, first := d.workload.result()
	stats := d.aws.Stats()
	fmt.Printf(`
Summary of %s, which stand for %s:
  rotations                             %d
  calls of the workload                 %d, signed with %d access keys in turn, by one process
  failed calls                          %d
  shortest life of mounted credentials  %s of %s, which stands for %s of 15
  requests to AWS Sign-In               %d (one before the first credentials were published), %d refused
%s
`, seconds(d.duration), minutes(d.real(d.duration)), rotations, calls, keys, failed,
		seconds(shortest), seconds(d.lifetime), minutes(d.real(shortest)), stats.Requests, stats.Refused, d.aboutRole(stats))
	switch promised := d.lifetime / 3; {
	case failed > 0:
		return fmt.Errorf("%d of %d calls failed, the first with: %s", failed, calls, first)
	case d.workload.principal() != d.principal():
		return fmt.Errorf("the workload is %s, not %s", d.workload.principal(), d.principal())
	case rotations == 0:
		return fmt.Errorf("there was no rotation in %s; the LoginSession says %s", seconds(d.duration), d.session.condition())
	case shortest < promised:
		return fmt.Errorf("mounted credentials had only %s left; the promise is %s, which stands for 5 minutes", seconds(shortest), seconds(promised))
	}
	fmt.Println("After one `aws login` the workload always had credentials that work.")
	return nil
}

// principal is whom the workload has to be.
func (d *demo) principal() string {
	if d.role {
		return assumed
	}
	return person
}

// aboutRole is a line of the summary.
func (d *demo) aboutRole(stats fakeaws.Stats) string {
	if !d.role || len(stats.RoleRequests) == 0 {
		return ""
	}
	last := stats.RoleRequests[len(stats.RoleRequests)-1]
	return fmt.Sprintf("  the role was assumed                  %d times, in the name of %s; the workload never had the person's own credentials\n",
		stats.RolesAssumed, last.SourceIdentity)
}

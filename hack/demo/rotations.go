package main

import (
	"context"
	"fmt"
	"time"
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

// tell prints the rotation's line.
func (d *demo) tell(r rotation) {
	calls, failed := 0, 0
	if d.workload != nil {
		calls, failed, _, _ = d.workload.result()
	}
	d.say(columns, fmt.Sprint(r.number), r.next.AccessKeyID, seconds(r.left), seconds(r.delay),
		r.spent+" > "+r.fresh, fmt.Sprintf("%d calls, %d failed", calls, failed))
}

// watchRotations lets the rotations tell of themselves, and judges in the end.
func (d *demo) watchRotations(ctx context.Context) error {
	d.say("watching for %s; each line below is a rotation that reached the workload's files", d.duration)
	d.show("\n" + fmt.Sprintf(columns, "rotation", "new access key", "old one had", "mounted", "refresh token", "workload"))
	d.show(fmt.Sprintf(columns, "", "", "still to live", "after", "(fingerprints)", "so far"))
	if err := sleep(ctx, d.duration); err != nil {
		return err
	}
	return d.summarize(ctx)
}

func (d *demo) summarize(ctx context.Context) error {
	rotations, shortest := d.kubelet.result()
	calls, failed, keys, first := d.workload.result()
	stats := d.aws.Stats()
	fmt.Printf(`
Summary of %s, which stand for %s
  rotations                             %d
  calls of the workload                 %d, signed with %d access keys one after the other, without a restart
  failed calls                          %d
  shortest life of mounted credentials  %s of %s, which stands for %s
  requests to AWS Sign-In               %d: the first before anything was published, %d refused

`, d.duration, d.real(d.duration), rotations, calls, keys, failed,
		seconds(shortest), d.lifetime, d.real(shortest), stats.Requests, stats.Refused)
	switch promised := d.lifetime / 3; {
	case failed > 0:
		return fmt.Errorf("%d of %d calls failed, the first with: %s", failed, calls, first)
	case rotations == 0:
		return fmt.Errorf("there was no rotation in %s; %s", d.duration, d.session.condition())
	case shortest < promised:
		return fmt.Errorf("mounted credentials had only %s left; the promise is %s, which stands for 5 minutes", seconds(shortest), seconds(promised))
	}
	fmt.Println("One `aws login`, and the workload never saw stale credentials.")
	return nil
}

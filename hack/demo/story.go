package main

import (
	"fmt"
	"time"
)

func (d *demo) introduce() {
	fmt.Printf(`AWS Login Operator, a demonstration on this machine only: the Kubernetes API server,
the operator and the workload are real, AWS is an imitation, and no AWS account is used.
Credentials live %s instead of 15 minutes, so 1 s here stands for %s.

`, seconds(d.lifetime), seconds(d.real(time.Second)))
}

// real is what a time of the demo stands for.
func (d *demo) real(short time.Duration) time.Duration {
	return time.Duration(float64(short) * float64(awsLifetime) / float64(d.lifetime))
}

// seconds reads better in columns than what a time.Duration prints.
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// minutes likewise.
func minutes(d time.Duration) string { return fmt.Sprintf("%.1f min", d.Minutes()) }

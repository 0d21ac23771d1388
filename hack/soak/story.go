package main

import (
	"fmt"
	"time"
)

func (k *soak) introduce() {
	fmt.Printf(`Soak of the AWS Login Operator with seed %d (-seed %[1]d repeats the schedule of faults).
%d LoginSessions; credentials live %s instead of 15 minutes, so that %s stand for %.1f hours.

`, k.seed, k.sessions, k.lifetime, k.duration, k.real(k.duration).Hours())
}

// seconds reads better in columns than what a time.Duration prints.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

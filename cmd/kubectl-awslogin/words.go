package main

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// moment is a time for people, empty where there is none.
func moment(t *metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05 MST") + ", " + fromNow(t)
}

// fromNow is how far away a time is, empty where there is none.
func fromNow(t *metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	left := time.Until(t.Time)
	if left < 0 {
		return duration.HumanDuration(-left) + " ago"
	}
	return "in " + duration.HumanDuration(left)
}

// few are the first names of many.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

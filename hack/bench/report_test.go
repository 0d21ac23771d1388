package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func someReport() *Report {
	result := &Result{
		Sessions: 100,
		Floors:   []Cost{{PerSecond: 200, CPU: 0.001, APIServerCPU: 0.005, Requests: requests{"GET secrets": 1, "LIST secrets": 0.01}}},
		Burst:    Cost{PerSecond: 100, CPU: 0.004, Requests: requests{"GET secrets": 4}},
		Memory:   Memory{Idle: 40 << 20, Burst: 50 << 20},
		Cycles:   Cycles{Lifetime: 60, Left: 39, NewSessions: []float64{0.01, 0.03, 0.02}},
	}
	result.Ratios = result.ratios()
	return &Report{Results: []*Result{result}, Foreign: &Foreign{Sessions: 100, Secrets: 300, Now: 48 << 20, Most: 49 << 20}}
}

func TestTableHasTheFigures(t *testing.T) {
	table := strings.Join(strings.Fields(someReport().table()), " ")
	for _, want := range []string{
		"rotations per second 100 (0.50)", "operator's CPU per rotation 4.0 ms (4.00)", "GET secrets 0.00, 4.00, 1.00",
		"per session beyond the empty operator 102.4 KiB", "first percentile 39.0 s, due with 40.0 s",
		"10 min less that 9m59s", "median, longest 20 ms, 30 ms", "300 foreign Secrets of 1 MB: 48.0 MiB, 49.0 MiB at most",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table has no %q:\n%s", want, table)
		}
	}
	if strings.Contains(table, "LIST") {
		t.Error("the table has requests that were hardly ever made")
	}
}

func TestFiguresAreWrittenAsJSON(t *testing.T) {
	path, report := filepath.Join(t.TempDir(), "figures.json"), someReport()
	if err := report.write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var read Report
	if err := json.Unmarshal(text, &read); err != nil || !reflect.DeepEqual(&read, report) {
		t.Errorf("read %+v, %v", read, err)
	}
	if !strings.Contains(string(text), `"bytesPerSession": 104857.6`) { // hack/plot reads this
		t.Errorf("the file is %s", text)
	}
}

// Package sdks_test runs programs with real AWS SDKs through rotations of their
// credentials, which come when the operator makes them and reach the programs when
// a kubelet brings them.
package sdks_test

import (
	"context"
	"flag"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"awslogin.dev/operator/internal/sdktest"
)

var (
	full   = flag.Bool("full", false, "more SDKs, more rotations, a role's credentials, what does not work, and measurements")
	python = flag.String("python", "", "another Python, whose boto3 is tried too")
)

func TestSDKsFollowRotations(t *testing.T) {
	cells := chosenCells(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var rotating, asking sync.WaitGroup
	for w := range worldsOf(cells) {
		rotating.Go(func() {
			if err := w.rotate(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for _, c := range cells {
		asking.Go(func() {
			if err := c.run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	cancel()
	rotating.Wait()
	for _, c := range cells {
		t.Run(c.String(), c.check)
	}
	if *full {
		printTable(measureAll(t, cells))
	}
}

func worldsOf(cells []*cell) map[*world]bool {
	found := map[*world]bool{}
	for _, c := range cells {
		found[c.pod.world] = true
	}
	return found
}

// chosenCells are, in short, the main SDKs with what works for them. Those that
// work go first: the others end early.
func chosenCells(t *testing.T) []*cell {
	main := func(s sdk, format string) bool { return s.main && s.verdicts[format] == works }
	if !*full {
		return makeCells(t, signIn, pace{45, 4}, main)
	}
	all := func(sdk, string) bool { return true }
	cells := slices.Concat(makeCells(t, signIn, pace{30, 10}, all), makeCells(t, assumeRole, pace{80, 3}, main))
	slices.SortStableFunc(cells, func(a, b *cell) int { return strings.Compare(string(b.want), string(a.want)) })
	return cells
}

// makeCells has the SDKs read the formats that are chosen.
func makeCells(t *testing.T, terms terms, pace pace, chosen func(s sdk, format string) bool) (cells []*cell) {
	faketime := sdktest.Faketime(t)
	fast, short := worlds(t, terms, pace)
	for _, s := range everySDK() {
		w := fast
		if s.ownClock {
			w = short
		}
		formats := slices.Sorted(maps.Keys(s.verdicts))
		formats = slices.DeleteFunc(formats, func(format string) bool { return !chosen(s, format) })
		if len(formats) == 0 {
			continue
		}
		var argv []string
		t.Run(s.name+" is installed", func(t *testing.T) { argv = s.program(t) })
		if argv == nil {
			continue
		}
		for _, format := range formats {
			cells = append(cells, &cell{sdk: s, want: s.verdicts[format], argv: argv, faketime: faketime, pod: newPod(t, w, format)})
		}
	}
	return cells
}

func everySDK() []sdk {
	if *python == "" {
		return sdks()
	}
	return append(sdks(), boto3Of(*python))
}

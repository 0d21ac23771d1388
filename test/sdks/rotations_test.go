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

// chosenCells are, in short, the main SDKs with what works for them.
func chosenCells(t *testing.T) []*cell {
	minor := func(c *cell) bool { return c.want != works || !c.main }
	if !*full {
		return slices.DeleteFunc(everyCell(t, signIn, pace{45, 4}), minor)
	}
	withRole := slices.DeleteFunc(everyCell(t, assumeRole, pace{80, 3}), minor)
	cells := slices.Concat(everyCell(t, signIn, pace{30, 10}), withRole)
	slices.SortStableFunc(cells, func(a, b *cell) int { return strings.Compare(string(b.want), string(a.want)) }) // those that work, first
	return cells
}

// everyCell has every SDK read every format.
func everyCell(t *testing.T, terms terms, pace pace) (cells []*cell) {
	faketime := sdktest.Faketime(t)
	fast, short := worlds(t, terms, pace)
	for _, s := range everySDK() {
		w := fast
		if s.ownClock {
			w = short
		}
		var argv []string
		if !t.Run(s.name+" is installed", func(t *testing.T) { argv = s.program(t) }) || argv == nil {
			continue
		}
		for _, format := range slices.Sorted(maps.Keys(s.verdicts)) {
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

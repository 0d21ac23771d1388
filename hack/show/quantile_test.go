package show

import "testing"

func TestQuantiles(t *testing.T) {
	var values []int
	for i := range 101 {
		values = append(values, 100-i)
	}
	for q, want := range map[float64]int{0: 0, 0.01: 1, 0.5: 50, 1: 100} {
		if got := Quantile(values, q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if got := Quantile([]int{7}, 0.01); got != 7 {
		t.Errorf("the only value is %d", got)
	}
}

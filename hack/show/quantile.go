package show

import (
	"cmp"
	"slices"
)

// Quantile of values, which are not empty; it is one of them.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))]
}

// Package version says which version of the project a program is.
package version

import "runtime/debug"

// release is set by the build.
var release string

// String is what `git describe` said at the build, or what Go knows.
func String() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// Package version says which version of the project a program is.
package version

import (
	"fmt"
	"runtime/debug"
)

// Both are set by the build.
var release, commit string

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

// Full is what --version prints: the commit too.
func Full() string { return fmt.Sprintf("%s (commit %s)", String(), revision()) }

// revision is the commit that the build was told, or that Go saw.
func revision() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "unknown"
}

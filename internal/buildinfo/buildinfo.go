// Package buildinfo names the running build: the version that releases are
// stamped with, or the commit that the Go tool recorded.
package buildinfo

import "runtime/debug"

// version is set by the linker: -X .../buildinfo.version=v1.2.3.
var version string

// Version is a release's number, else "dev" with the first twelve digits of
// the commit, if known.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = "-" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-modified"
		}
	}
	return "dev" + revision + modified
}

package snapshot

import "strings"

// Major is the leading number of a version, which for PostgreSQL since 10 is
// the major version: "16" of "16", "16.4", "16beta1", "16~rc1-1.pgdg120". It
// is "" where there is none.
func Major(version string) string {
	end := 0
	for end < len(version) && version[end] >= '0' && version[end] <= '9' {
		end++
	}
	return version[:end]
}

// Series is the part of a version within which a server's behaviour and data
// format hold: PostgreSQL's major ("15"), MySQL's and MariaDB's first two
// numbers ("8.4", "10.11").
func Series(engine, version string) string {
	if engine != MySQL && engine != MariaDB {
		return Major(version)
	}
	first, rest, more := strings.Cut(version, ".")
	if !more {
		return first
	}
	n := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if n >= 0 {
		rest = rest[:n]
	}
	if rest == "" {
		return first
	}
	return first + "." + rest
}

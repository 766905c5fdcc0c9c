package snapshot

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

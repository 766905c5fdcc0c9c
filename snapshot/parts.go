package snapshot

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Compose opens a snapshot of several dumps: a base, as Open takes it, a dump of
// its rows where the base has none (data), and one of its cluster's roles
// (globals); "" where there is no such. What does not fit together is refused by
// name.
func Compose(ctx context.Context, spec, data, globals string) (Source, error) {
	src, err := compose(ctx, spec, data, globals)
	if err != nil {
		return Source{}, fmt.Errorf("open snapshot: %w", err)
	}
	return src, nil
}

func compose(ctx context.Context, spec, data, globals string) (Source, error) {
	src, list, err := open(ctx, spec)
	if err != nil {
		return src, err
	}
	if err := src.oneDatabase(list); err != nil {
		return src, err
	}
	for _, more := range []struct{ spec, role, option string }{{data, RoleData, "--snapshot-data"}, {globals, RoleGlobals, "--globals"}} {
		if more.spec == "" {
			continue
		}
		also, parts, err := open(ctx, more.spec)
		if err != nil {
			return src, err
		}
		for _, p := range parts {
			if p.Engine == MySQL || p.Engine == MariaDB {
				return src, fmt.Errorf("%s: %s is for dumps of PostgreSQL", p.name(), more.option)
			}
			if role := p.holds.role(); role != more.role {
				return src, fmt.Errorf("%s: %s is not for it, which holds %s: %s", p.name(), more.option, inWords(p.holds), remedies[more.role])
			}
		}
		list = append(list, parts...)
		src.Size += also.Size
		src.Ignored = append(src.Ignored, also.Ignored...)
	}
	return src, src.assemble(list)
}

// remedies say how to have what an option is for.
var remedies = map[string]string{
	RoleData:    "it takes what pg_dump --data-only writes, and --snapshot what pg_dump --schema-only does",
	RoleGlobals: "it takes what pg_dumpall --globals-only writes",
}

func inWords(h holds) string {
	switch h.role() {
	case RoleGlobals:
		return "roles alone"
	case RoleData:
		return "rows alone"
	case RoleSchema:
		return "a schema without rows"
	case RolePost:
		return "indexes and constraints alone"
	}
	if h.globals {
		return "whole databases and roles"
	}
	return "a schema and rows"
}

// assemble makes one snapshot of what was found, or refuses what does not fit.
func (s *Source) assemble(list []found) error {
	if err := s.fits(list); err != nil {
		return err
	}
	if len(list) == 1 && list[0].Path == s.Path {
		one := list[0]
		s.Engine, s.Format, s.Member, s.Database, s.Unpacked = one.Engine, one.Format, one.Member, one.Database, one.Unpacked
		s.ServerVersion, s.DumpVersion = one.ServerVersion, one.DumpVersion
		if s.Compression == "" {
			s.Compression = one.Compression
		}
		return nil
	}
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(a.rank(), b.rank()) })
	s.Format, s.Engine, s.Database = FormatParts, "", ""
	for _, f := range list {
		s.Parts = append(s.Parts, Part{Source: f.Source, Role: f.holds.role()})
		s.Unpacked += f.Unpacked
		s.Engine = cmp.Or(s.Engine, f.Engine)
		if newer(f.ServerVersion, s.ServerVersion) {
			s.ServerVersion, s.DumpVersion = f.ServerVersion, f.DumpVersion
		}
	}
	return nil
}

// rank puts a part where it must be restored. What nobody dumped, and begins
// with no CREATE, is for a schema that is there.
func (f found) rank() int {
	return slices.Index([]string{RoleGlobals, RoleSchema, RoleWhole, RoleData, RolePost}, f.holds.role())
}

func (f found) name() string {
	if f.Member != "" && f.Member != "." {
		return f.Member + " in " + f.Path
	}
	return f.Path
}

// fits refuses dumps that are no snapshot together.
func (s *Source) fits(list []found) error {
	names := func(want func(found) bool) (out []string) {
		for _, f := range list {
			if want(f) {
				out = append(out, f.where(s))
			}
		}
		return out
	}
	role := func(roles ...string) func(found) bool {
		return func(f found) bool { return f.holds.byTool && slices.Contains(roles, f.holds.role()) }
	}
	if mysql := names(func(f found) bool { return f.Engine == MySQL || f.Engine == MariaDB }); len(mysql) > 0 && (len(list) > 1 || list[0].Path != s.Path) {
		return fmt.Errorf("%s holds %s, by a tool for MySQL or MariaDB, where a dump of several files is for PostgreSQL; give the one file", s.Path, strings.Join(mysql, ", "))
	}
	if len(list) == 0 {
		return fmt.Errorf("%s holds no dump", s.Path)
	}
	rows, wholes := names(role(RoleData)), names(role(RoleWhole))
	globals := names(func(f found) bool { return f.holds.role() == RoleGlobals })
	others := names(func(f found) bool { return f.holds.role() == RoleSchema || f.holds.role() == RoleWhole })
	switch {
	case len(wholes) > 1:
		return fmt.Errorf("%s holds several whole dumps: %s; give the one to restore", s.Path, strings.Join(wholes, ", "))
	case len(wholes) == 1 && len(rows) > 0:
		return fmt.Errorf("%s holds rows already, and %s would add them again; give the one or the other, or a schema (pg_dump --schema-only) with the rows", wholes[0], strings.Join(rows, ", "))
	case len(globals) > 0 && len(globals) == len(list):
		return fmt.Errorf("%s holds the roles of a cluster and no database; give a dump of the database by --snapshot, and this by --globals", list[0].name())
	case len(rows) > 0 && len(others) == 0:
		return fmt.Errorf("%s holds rows and no tables for them; give the schema (pg_dump --schema-only) by --snapshot, and this by --snapshot-data", list[0].name())
	}
	return nil
}

// oneDatabase refuses a directory of dumps of several databases.
func (s *Source) oneDatabase(list []found) error {
	by := map[string]string{}
	for _, f := range list {
		if f.holds.database != "" {
			by[f.holds.database] = f.where(s)
		}
	}
	if len(by) < 2 {
		return nil
	}
	var of []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		of = append(of, fmt.Sprintf("%s (%s)", name, by[name]))
	}
	return fmt.Errorf("%s holds dumps of several databases: %s; give those of one", s.Path, strings.Join(of, ", "))
}

// natural orders names as people number them: "2-data" before "10-data".
func natural(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da != "" && db != "" {
			x, y := strings.TrimLeft(da, "0"), strings.TrimLeft(db, "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[len(da):], b[len(db):]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func digits(s string) string {
	n := strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII || r < '0' || r > '9' })
	if n < 0 {
		return s
	}
	return s[:n]
}

// newer compares versions of servers by their numbers.
func newer(a, b string) bool { return natural(a, b) > 0 }

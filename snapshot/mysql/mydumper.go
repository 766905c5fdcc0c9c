package mysql

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// mydumperFile is one file of mydumper's, by its name: "shop-schema-create.sql",
// "shop.orders-schema.sql.gz", "shop.orders.00003.sql.zst".
type mydumperFile struct {
	name     string
	schema   string
	what     int
	chunk    string // what orders the files of one table
	unwanted string // why it cannot be read
}

// In the order in which they are restored. Routines come before the views that
// call them, triggers when all rows are in.
const (
	mdCreate = iota
	mdSequence
	mdTable
	mdRows
	mdPost
	mdView
	mdTriggers
	mdNothing
)

var mdKinds = []struct {
	suffix string
	what   int
}{
	{"-schema-create", mdCreate}, {"-schema-post", mdPost}, {"-schema-view", mdView}, {"-schema-triggers", mdTriggers},
	{"-schema-sequence", mdSequence}, {"-schema-tablespace", mdNothing}, {"-schema-checksum", mdNothing}, {"-checksum", mdNothing},
	{"-metadata", mdNothing}, {"-schema", mdTable},
}

var mdChunk = lazy.Compile(`^(.*?)((?:\.\d{5,})*)$`)

// readName tells from a file's name what is in it.
func readName(name string) (f mydumperFile) {
	f = mydumperFile{name: name, what: mdNothing}
	base := filepath.Base(name)
	for _, pack := range []string{".gz", ".zst", ".lz4"} {
		base = strings.TrimSuffix(base, pack)
	}
	if strings.HasSuffix(base, ".dat") || strings.HasSuffix(base, ".csv") || strings.HasSuffix(base, ".json") {
		f.unwanted = "rows in files of their own (mydumper --load-data, --csv, --clickhouse) are not read yet; dump again without that option"
		return f
	}
	base, isSQL := strings.CutSuffix(base, ".sql")
	if !isSQL {
		return f
	}
	f.what = mdRows
	for _, k := range mdKinds {
		if rest, ok := strings.CutSuffix(base, k.suffix); ok {
			base, f.what = rest, k.what
			break
		}
	}
	f.schema = base
	if f.what != mdCreate && f.what != mdPost {
		m := mdChunk.FindStringSubmatch(base)
		f.schema, f.chunk, _ = strings.Cut(m[1], ".")
		f.chunk += "\x00" + m[2]
	}
	return f
}

// mydumper restores a directory that mydumper wrote, 0.10 or newer.
func (r *restore) mydumper(ctx context.Context, l *loader) error {
	names, err := r.src.Files()
	if err != nil {
		return err
	}
	var files []mydumperFile
	for _, n := range names {
		f := readName(n)
		if f.unwanted != "" {
			return fmt.Errorf("%s: %s", n, f.unwanted)
		}
		if f.what != mdNothing {
			files = append(files, f)
		}
	}
	slices.SortStableFunc(files, func(a, b mydumperFile) int {
		if a.what != b.what {
			return a.what - b.what
		}
		return strings.Compare(a.schema+"\x00"+a.chunk, b.schema+"\x00"+b.chunk)
	})
	c := &counter{ctx: ctx, total: r.src.Size, report: r.opt.Progress}
	// Names that a file cannot have are replaced in theirs; the one within
	// counts.
	made := map[string]string{}
	for _, f := range files {
		if f.what == mdCreate {
			before := len(r.schemas)
			if err := l.file(ctx, f.name, c, true); err != nil {
				return err
			}
			if len(r.schemas) > before {
				made[f.schema] = r.schemas[before]
			}
			continue
		}
		schema := f.schema
		if name, ok := made[schema]; ok {
			schema = name
		}
		if schema != l.schema || l.system {
			if err := l.use(ctx, schema, where{file: f.name}); err != nil {
				return err
			}
		}
		if l.system {
			continue
		}
		if f.what >= mdPost {
			if err := l.likeDefault(ctx); err != nil {
				return err
			}
		}
		if err := l.file(ctx, f.name, c, true); err != nil {
			return err
		}
	}
	return nil
}

// likeDefault gives the session what migrations have. mydumper 0.10 does not
// write down under which sql_mode a routine was made, and newer ones set it
// themselves.
func (l *loader) likeDefault(ctx context.Context) error {
	if err := l.pool.end(ctx, &l.table); err != nil {
		return err
	}
	l.state = nil
	_, err := l.lead.ExecContext(ctx, "SET sql_mode = DEFAULT, time_zone = DEFAULT")
	return err
}

// file runs one file of a directory.
func (l *loader) file(ctx context.Context, name string, c *counter, lineEnds bool) error {
	in, err := l.r.src.FileOver(name, c.over)
	if err != nil {
		return err
	}
	defer in.Close()
	s := newSplitter(in, l.most)
	s.lineEnds = lineEnds
	return l.stream(ctx, s, name)
}

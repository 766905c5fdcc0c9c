package mysql

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/migration-gate/migration-gate/snapshot"
)

// storage is InnoDB's own view of the tables: the numbers that their files and
// indexes have. A table that is written anew gets a new number, one that is
// renamed keeps it.
type storage struct {
	// tables are the numbers by name, one for each partition, ascending.
	tables map[tableName][]int64
	// indexes are the numbers by table number and name.
	indexes map[indexKey]int64
}

type indexKey struct {
	table int64
	name  string
}

// id is a table's lowest number, as a key that survives renaming; "" where
// InnoDB does not have it.
func (st *storage) id(t tableName) string {
	if ids := st.tables[t]; len(ids) > 0 {
		return strconv.FormatInt(ids[0], 10)
	}
	return ""
}

// index is the key of an index that survives renaming, "" if there is none.
func (st *storage) index(t tableName, name string) string {
	if ids := st.tables[t]; len(ids) > 0 {
		if id := st.indexes[indexKey{ids[0], name}]; id != 0 {
			return strconv.FormatInt(id, 10)
		}
	}
	return ""
}

// readStorage reads the numbers of these tables. In a clone that was made table
// by table they are the baseline's for what was copied, so that it is found
// again under another name; where the account may not read them there are none.
func (d *Database) readStorage(ctx context.Context, c *sql.Conn, tables []tableName) (st *storage, err error) {
	if !d.s.guest.is() {
		return d.s.readStorage(ctx, c, tables)
	}
	err = d.s.on(ctx, d.instance, "", func(admin *sql.Conn) error {
		if st, err = d.s.readStorage(ctx, admin, tables); isNumber(err, 1227) {
			st = &storage{tables: map[tableName][]int64{}, indexes: map[indexKey]int64{}}
			return nil
		}
		if err == nil && d.instance != snapshot.FirstInstance {
			err = d.origins(ctx, admin, st)
		}
		return err
	})
	return st, err
}

// readStorage reads the numbers of these tables.
func (s *Server) readStorage(ctx context.Context, c *sql.Conn, tables []tableName) (*storage, error) {
	prefix := "INNODB_"
	if s.maria {
		prefix = "INNODB_SYS_"
	}
	st := &storage{tables: map[tableName][]int64{}, indexes: map[indexKey]int64{}}
	match := matcher(tables)
	rows, err := c.QueryContext(ctx, "SELECT TABLE_ID, NAME FROM information_schema."+prefix+"TABLES WHERE NAME LIKE '%/%' AND NAME NOT LIKE 'mysql/%'")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	known := map[int64]bool{}
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		if t, ok := match(name); ok {
			st.tables[t] = append(st.tables[t], id)
			known[id] = true
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, ids := range st.tables {
		slices.Sort(ids)
	}
	rows, err = c.QueryContext(ctx, "SELECT INDEX_ID, NAME, TABLE_ID FROM information_schema."+prefix+"INDEXES")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, table int64
		var name string
		if err := rows.Scan(&id, &name, &table); err != nil {
			return nil, err
		}
		if known[table] {
			st.indexes[indexKey{table, name}] = id
		}
	}
	return st, rows.Err()
}

// matcher finds the table that a file name belongs to. File names spell what
// is not plain ASCII as @ and four hexadecimal digits, or, for the letters of
// some alphabets, as @ and two characters of a table of the server's; those
// stand here for any one letter (manual: Mapping of Identifiers to File Names).
func matcher(tables []tableName) func(file string) (tableName, bool) {
	exact := map[tableName]bool{}
	loose := map[tableName]tableName{}
	ambiguous := map[tableName]bool{}
	for _, t := range tables {
		exact[t] = true
		key := tableName{vague(t.schema), vague(t.name)}
		if _, twice := loose[key]; twice {
			ambiguous[key] = true
		}
		loose[key] = t
	}
	return func(file string) (tableName, bool) {
		schema, name, ok := strings.Cut(file, "/")
		if !ok {
			return tableName{}, false
		}
		name, _, _ = strings.Cut(name, "#") // partitions follow; a # of the name's own is spelled @0023
		t := tableName{fromFile(schema), fromFile(name)}
		if exact[t] {
			return t, true
		}
		key := tableName{vague(t.schema), vague(t.name)}
		found, ok := loose[key]
		return found, ok && !ambiguous[key]
	}
}

// anyLetter stands for a letter that a file name spells by the server's table.
const anyLetter = '\uFFFD'

func fromFile(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '@' {
			b.WriteByte(s[i])
			i++
			continue
		}
		if i+5 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+5], 16, 16); err == nil {
				b.WriteRune(rune(n))
				i += 5
				continue
			}
		}
		b.WriteRune(anyLetter)
		i += min(3, len(s)-i)
	}
	return b.String()
}

func vague(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return anyLetter
		}
		return r
	}, s)
}

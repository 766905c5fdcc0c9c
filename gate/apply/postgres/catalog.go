package postgres

import (
	"context"
	"encoding/hex"
	"strconv"
)

// relation is a row of the inventory.
type relation struct {
	kind, file  string
	pages, rows int64 // pg_class's estimates
	counters
}

// counters are cumulative.
type counters struct{ scans, tuples, blocks int64 }

func (c counters) minus(b counters) counters {
	return counters{c.scans - b.scans, c.tuples - b.tuples, c.blocks - b.blocks}
}

// lockedQuery lists the relations that this transaction has locked, and may
// have changed or read: a new file takes ACCESS EXCLUSIVE, or SHARE ROW
// EXCLUSIVE on a sequence. The counters are those the session has not flushed.
const lockedQuery = `SELECT c.oid, c.relkind, c.relfilenode, c.relpages, c.reltuples::pg_catalog.int8,
pg_catalog.pg_stat_get_xact_numscans(c.oid), pg_catalog.pg_stat_get_xact_tuples_returned(c.oid), pg_catalog.pg_stat_get_xact_blocks_fetched(c.oid),
l.strong
FROM (SELECT k.relation, pg_catalog.bool_or(k.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'::pg_catalog.text
 OR k.mode OPERATOR(pg_catalog.=) 'ShareRowExclusiveLock'::pg_catalog.text) AS strong
 FROM pg_catalog.pg_locks AS k
 WHERE k.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND k.locktype OPERATOR(pg_catalog.=) 'relation'::pg_catalog.text
 AND k.relation OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid
 GROUP BY k.relation) AS l
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) l.relation
WHERE c.relfilenode OPERATOR(pg_catalog.<>) 0::pg_catalog.oid AND (l.strong
 OR pg_catalog.pg_stat_get_xact_numscans(c.oid) OPERATOR(pg_catalog.>) 0::pg_catalog.int8
 OR pg_catalog.pg_stat_get_xact_blocks_fetched(c.oid) OPERATOR(pg_catalog.>) 0::pg_catalog.int8)`

// unlimited goes before a query outside a transaction: the two are one implicit
// transaction, with which the setting ends.
const unlimited = "SET LOCAL statement_timeout = 0; "

// inventoryQuery lists every relation with storage, and the flushed counters.
const inventoryQuery = `SELECT c.oid, c.relkind, c.relfilenode, c.relpages, c.reltuples::pg_catalog.int8,
pg_catalog.pg_stat_get_numscans(c.oid), pg_catalog.pg_stat_get_tuples_returned(c.oid), pg_catalog.pg_stat_get_blocks_fetched(c.oid),
false
FROM pg_catalog.pg_class AS c
WHERE c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND c.relfilenode OPERATOR(pg_catalog.<>) 0::pg_catalog.oid`

// invalidIndexes lists them by "schema.name". An index on a partitioned table
// is invalid by design until all partitions have theirs. Names travel as bytes
// of UTF-8, whatever the session's encoding.
func invalidIndexes(ctx context.Context, s *Session) (map[string]bool, error) {
	rows, err := s.ask(ctx, unlimited+`SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.concat(n.nspname, '.', c.relname), 'UTF8'), 'hex')
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE NOT i.indisvalid AND c.relkind OPERATOR(pg_catalog.=) 'i'::pg_catalog."char"`)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, r := range rows {
		name, err := hex.DecodeString(string(r[0]))
		if err != nil {
			return nil, err
		}
		names[string(name)] = true
	}
	return names, nil
}

// inventory lists every relation, by OID.
func inventory(ctx context.Context, s *Session) (map[string]relation, error) {
	rows, err := s.ask(ctx, unlimited+inventoryQuery)
	if err != nil {
		return nil, err
	}
	all, _, err := relations(rows)
	return all, err
}

// relations reads the rows of one of the two queries above.
func relations(rows [][][]byte) (all map[string]relation, strong map[string]bool, err error) {
	all, strong = make(map[string]relation, len(rows)), map[string]bool{}
	for _, row := range rows {
		var n [5]int64
		for i := range n {
			if n[i], err = strconv.ParseInt(string(row[3+i]), 10, 64); err != nil {
				return nil, nil, err
			}
		}
		oid := string(row[0])
		all[oid] = relation{kind: string(row[1]), file: string(row[2]), pages: n[0], rows: n[1], counters: counters{n[2], n[3], n[4]}}
		strong[oid] = string(row[8]) == "t"
	}
	return all, strong, nil
}

// Package postgres looks at PostgreSQL's lock table, on a connection of its
// own, and knows what each lock mode blocks.
//
// What lives here: the Sampler, the server's own counters that are read from
// outside (WAL, temporary files), and the table lock mode → impact. What never
// will: the migration's connection, names of relations, judgement.
package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/lockbudget"
)

// Name is the observer's application_name, by which it can be told in
// pg_stat_activity.
const Name = "migration-gate observer"

// Sampler looks at the relation locks of one database. Each look is one
// prepared statement in autocommit: a snapshot held open would make
// CREATE INDEX CONCURRENTLY wait for the observer. Its methods may be called
// from several goroutines.
type Sampler struct {
	mu       sync.Mutex // one query at a time
	conn     *pgconn.PgConn
	database uint32
	// temp is the query for temporary blocks, "" where they are not counted.
	temp      string
	blockSize uint64
}

// firstUserOID: relations below are the system's (FirstNormalObjectId).
const firstUserOID = 16384

const (
	locksStatement = "migration_gate_locks"
	// The lock table has all of the server's databases; shared relations have
	// database 0, locks of prepared transactions no pid. SIRead are not locks:
	// they block nobody.
	locksQuery = `SELECT coalesce(l.pid, 0), l.relation, l.mode, l.granted
FROM pg_catalog.pg_locks l
WHERE l.locktype = 'relation' AND l.database = $1 AND l.relation >= $2
AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() AND l.mode <> 'SIReadLock'`
)

// NewSampler connects by connString to watch the named database. The
// connection itself may be to another one, and had better be, so that the
// watched database can be dropped or copied meanwhile.
func NewSampler(ctx context.Context, connString, database string) (*Sampler, error) {
	config, err := pgconn.ParseConfig(connString)
	if err != nil {
		return nil, fmt.Errorf("read the observer's connection string: %w", err)
	}
	config.RuntimeParams["application_name"] = Name
	// What a role or database sets for itself must not bend the queries.
	for name, value := range map[string]string{
		"search_path": "pg_catalog", "client_encoding": "UTF8",
		"statement_timeout": "0", "lock_timeout": "0", "default_transaction_isolation": "read committed",
	} {
		config.RuntimeParams[name] = value
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect the observer: %w", err)
	}
	s := &Sampler{conn: conn}
	if err := s.prepare(ctx, database); err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("prepare the observer: %w", err)
	}
	return s, nil
}

func (s *Sampler) prepare(ctx context.Context, database string) error {
	rows, err := s.query(ctx, `SELECT oid, current_setting('block_size'), (SELECT nspname FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'pg_stat_statements' AND current_setting('server_version_num')::int >= 130000)
FROM pg_database WHERE datname = $1`, database)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return fmt.Errorf("there is no database %q", database)
	}
	oid, err := strconv.ParseUint(string(rows[0][0]), 10, 32)
	if err != nil {
		return err
	}
	s.database = uint32(oid)
	if s.blockSize, err = strconv.ParseUint(string(rows[0][1]), 10, 32); err != nil {
		return err
	}
	if schema := rows[0][2]; schema != nil {
		s.temp = fmt.Sprintf(`SELECT coalesce(sum(temp_blks_written), 0)::int8 FROM %s.pg_stat_statements(false) WHERE dbid = %d`,
			quote(string(schema)), s.database)
		// The extension may be there and its library not loaded.
		if _, err := s.query(ctx, s.temp); err != nil {
			var refused *pgconn.PgError
			if !errors.As(err, &refused) {
				return err
			}
			s.temp = ""
		}
	}
	// Newer servers hang up on idle sessions where told to.
	if _, err := s.query(ctx, `SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout')`); err != nil {
		return err
	}
	_, err = s.conn.Prepare(ctx, locksStatement, locksQuery, []uint32{26, 26})
	return err
}

// Sample takes one look: 0.2-0.3 ms, most of it the server's building the
// whole list, so a narrower question would cost the same.
func (s *Sampler) Sample(ctx context.Context) ([]lockbudget.Lock, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result := s.conn.ExecPrepared(ctx, locksStatement,
		[][]byte{oidText(s.database), oidText(firstUserOID)}, nil, []int16{1})
	locks := []lockbudget.Lock{}
	var unknown error
	for result.NextRow() {
		v := result.Values()
		m, ok := modeOf(string(v[2]))
		if !ok {
			unknown = fmt.Errorf("the server shows a lock mode this version does not know: %q", v[2])
			continue
		}
		locks = append(locks, lockbudget.Lock{
			Session: int64(int32(binary.BigEndian.Uint32(v[0]))),
			Object:  strconv.FormatUint(uint64(binary.BigEndian.Uint32(v[1])), 10),
			Mode:    m.name, Impact: m.impact, Granted: v[3][0] == 1,
		})
	}
	if _, err := result.Close(); err != nil {
		return nil, fmt.Errorf("read pg_locks: %w", err)
	}
	return locks, unknown
}

// WALPosition is how many bytes the server has ever written to its log, other
// sessions' included.
func (s *Sampler) WALPosition(ctx context.Context) (uint64, error) {
	return s.number(ctx, "read the WAL position", `SELECT (pg_current_wal_insert_lsn() - '0/0')::int8`)
}

// TempBytes is how many bytes the database's statements have written to
// temporary files, and whether the server counts them at all: that takes
// pg_stat_statements in the database the observer is connected to. Unlike
// pg_stat_database it counts inside an open transaction and, unlike
// log_temp_files, a migration that sets client_min_messages cannot hide it.
// Statements that the extension has forgotten make it smaller.
func (s *Sampler) TempBytes(ctx context.Context) (uint64, bool, error) {
	if s.temp == "" {
		return 0, false, nil
	}
	n, err := s.number(ctx, "read temporary bytes", s.temp)
	return n * s.blockSize, err == nil, err
}

// PID of the observer's own backend.
func (s *Sampler) PID() int64 { return int64(s.conn.PID()) }

// Close ends the connection.
func (s *Sampler) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.conn.Close(ctx); err != nil {
		return fmt.Errorf("close the observer: %w", err)
	}
	return nil
}

func (s *Sampler) number(ctx context.Context, what, sql string) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, err := s.query(ctx, sql)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	n, err := strconv.ParseUint(string(rows[0][0]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return n, nil
}

func (s *Sampler) query(ctx context.Context, sql string, args ...string) ([][][]byte, error) {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	r := s.conn.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	return r.Rows, r.Err
}

func oidText(oid uint32) []byte { return strconv.AppendUint(nil, uint64(oid), 10) }

// quote makes an identifier of a name.
func quote(name string) string {
	q := []byte{'"'}
	for _, b := range []byte(name) {
		if b == '"' {
			q = append(q, '"')
		}
		q = append(q, b)
	}
	return string(append(q, '"'))
}

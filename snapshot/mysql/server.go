// Package mysql restores snapshots into a MySQL or MariaDB server that a run
// made for itself, makes clones of the restored baseline, and reads both: their
// schema, their catalogue, their rows.
//
// MySQL cannot copy a database by itself, so a clone is a copy of the stopped
// baseline's data directory with a server of its own (snapshot.Instances). The
// database keeps one name in all of them. On a server that somebody else runs
// there is one server for all: an instance is a schema there, and a clone is
// made table by table.
//
// It connects as the administrator. The migration's own connection, and any
// judgement of what was read, are elsewhere; so is the making of servers.
package mysql

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot"
)

// Owner is the migrating account: an ordinary one that may do everything in the
// restored schemas, and nothing else.
const Owner = "migrator"

// The oldest versions that the catalogue queries are written for.
const (
	oldestMySQL   = 80000
	oldestMariaDB = 100600
)

// Server is an ephemeral server with its instances, seen as its administrator.
// Each call connects on its own and leaves no connection behind, for only a
// stopped instance can be copied.
type Server struct {
	target  *snapshot.Target
	version string
	num     int // 80036, 101118
	maria   bool
	guest   guest

	// base is held for reading by whoever is connected to the first instance,
	// and for writing while it is copied.
	base sync.RWMutex

	mu     sync.Mutex
	schema string // the database's name, "" until it is known
	sealed bool
	// addrs are the instances that this process has seen running.
	addrs map[string]string
}

// Connect asks the first instance for its version; an error means that it
// cannot be reached or used. A first instance that is stopped was sealed by an
// earlier process, and is only started to be read.
func Connect(ctx context.Context, t *snapshot.Target) (*Server, error) {
	if t.Instances == nil && t.Prefix == "" {
		return nil, errors.New("connect to the target: it cannot hold several instances, which clones need")
	}
	s := &Server{target: t, addrs: map[string]string{}, guest: guest{prefix: t.Prefix}}
	if err := s.connect(ctx); err != nil {
		return nil, fmt.Errorf("connect to the target: %w", err)
	}
	return s, nil
}

func (s *Server) connect(ctx context.Context) error {
	if _, err := s.addrWith(ctx, snapshot.FirstInstance, readOnly()); err != nil {
		return err
	}
	return s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) error {
		var text string
		if err := c.QueryRowContext(ctx, "SELECT VERSION()").Scan(&text); err != nil {
			return err
		}
		s.maria = strings.Contains(strings.ToLower(text), "mariadb")
		s.version, s.num = parseVersion(text)
		oldest, words := oldestMySQL, "MySQL 8.0"
		if s.maria {
			oldest, words = oldestMariaDB, "MariaDB 10.6"
		}
		if s.num < oldest {
			return fmt.Errorf("it runs %s; the oldest supported is %s", text, words)
		}
		if s.guest.is() {
			return s.checkIn(ctx, c)
		}
		var n int
		if err := c.QueryRowContext(ctx, "SELECT COUNT(*) FROM mysql.db").Scan(&n); err != nil {
			return fmt.Errorf("account %q is no administrator: %w", s.target.User, err)
		}
		return nil
	})
}

// parseVersion gives the leading "x.y.z" of VERSION(), and as a number.
func parseVersion(text string) (string, int) {
	text = strings.TrimPrefix(text, "5.5.5-") // how old MariaDB hid from replicas
	end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end >= 0 {
		text = text[:end]
	}
	text = strings.TrimRight(text, ".")
	num, scale := 0, 10000
	for i, part := range strings.Split(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || i > 2 {
			break
		}
		num += n * scale
		scale /= 100
	}
	return text, num
}

// Close ends the use of the server. The server itself is its Target's to stop.
func (s *Server) Close() {}

// Version is the server's, as it says, without what a distribution adds:
// "9.7.4", "10.11.18".
func (s *Server) Version() string { return s.version }

// Engine is the flavour: snapshot.MySQL or snapshot.MariaDB.
func (s *Server) Engine() string {
	if s.maria {
		return snapshot.MariaDB
	}
	return snapshot.MySQL
}

// Drop removes a clone with its server and whatever sessions it has; one that
// is not there is no error. The baseline goes with the target alone.
func (s *Server) Drop(ctx context.Context, instance string) error {
	if instance == snapshot.FirstInstance {
		return fmt.Errorf("drop instance %s: it holds the baseline", instance)
	}
	s.forget(instance)
	remove := s.remove
	if !s.guest.is() {
		remove = s.target.Instances.Remove
	}
	if err := remove(ctx, instance); err != nil {
		return fmt.Errorf("drop instance %s: %w", instance, err)
	}
	return nil
}

// Database gives the database of an instance by the instance's name, to read
// and to connect to. The instance is started when it is first used, if it is
// not running.
func (s *Server) Database(instance string) *Database {
	return &Database{s: s, instance: instance}
}

// addr starts an instance if need be, and says where it listens.
func (s *Server) addr(ctx context.Context, instance string) (string, error) {
	if instance == snapshot.FirstInstance {
		return s.addrWith(ctx, instance, readOnly()) // it was stopped: so it is sealed
	}
	return s.addrWith(ctx, instance, nil)
}

func (s *Server) addrWith(ctx context.Context, instance string, settings map[string]string) (string, error) {
	if s.guest.is() {
		return "", nil // there is one, the target's
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.addrs[instance]; a != "" {
		return a, nil
	}
	host, port, err := s.target.Instances.Start(ctx, instance, settings)
	if err != nil {
		return "", err
	}
	a := net.JoinHostPort(host, strconv.Itoa(port))
	s.addrs[instance] = a
	return a, nil
}

func (s *Server) forget(instance string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.addrs, instance)
}

// stop shuts an instance down cleanly. Nobody stops somebody else's server.
func (s *Server) stop(ctx context.Context, instance string) error {
	if s.guest.is() {
		return nil
	}
	s.forget(instance)
	return s.target.Instances.Stop(ctx, instance)
}

// on connects to a schema of an instance ("" for none), calls f and
// disconnects. The session's sql_mode is empty: whatever a statement needs
// beyond that, f sets. Within f, only another instance may be connected to.
func (s *Server) on(ctx context.Context, instance, schema string, f func(*sql.Conn) error) error {
	return s.onWith(ctx, instance, schema, nil, f)
}

func (s *Server) onWith(ctx context.Context, instance, schema string, params map[string]string, f func(*sql.Conn) error) error {
	return s.onAs(ctx, s.target.User, s.target.Password, instance, schema, params, f)
}

func (s *Server) onAs(ctx context.Context, user, password, instance, schema string, params map[string]string, f func(*sql.Conn) error) error {
	if instance == snapshot.FirstInstance {
		s.base.RLock()
		defer s.base.RUnlock()
	}
	addr, err := s.addr(ctx, instance)
	if err != nil {
		return err
	}
	cfg, err := s.config(addr, schema, user, password)
	if err != nil {
		return err
	}
	for k, v := range map[string]string{"sql_mode": "''", "lock_wait_timeout": "3600", "autocommit": "1"} {
		cfg.Params[k] = v
	}
	for k, v := range params {
		cfg.Params[k] = v
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return errors.New("the target's address cannot be read as a connection") // without the text, which quotes it
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// config is the only place that spells a connection with its password.
func (s *Server) config(addr, schema, user, password string) (*mysql.Config, error) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr = "tcp", addr
	if s.guest.is() {
		var err error
		if cfg, err = Config(s.target.Host, s.target.Port, s.target.Params); err != nil {
			return nil, err
		}
	}
	cfg.User, cfg.Passwd, cfg.DBName = user, password, schema
	cfg.MaxAllowedPacket = 1 << 30
	cfg.InterpolateParams = true
	cfg.Params = map[string]string{}
	return cfg, nil
}

// ownerPassword is derived from the administrator's, so that a later process
// attaches without storing it. Whoever knows it cannot go back.
func (s *Server) ownerPassword() string {
	m := hmac.New(sha256.New, []byte(s.target.Password))
	fmt.Fprintf(m, "%s %s", Owner, s.target.Handle.Run)
	sum := hex.EncodeToString(m.Sum(nil))
	if s.guest.is() {
		return "Mg-1" + sum[:28] // what validate_password asks for by default
	}
	return sum
}

// ident quotes names and joins them with dots.
func ident(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString("`" + strings.ReplaceAll(p, "`", "``") + "`")
	}
	return b.String()
}

func literals(list []string) string {
	var quoted []string
	for _, s := range list {
		quoted = append(quoted, literal(s))
	}
	return strings.Join(quoted, ", ")
}

// literal quotes a string for a session without NO_BACKSLASH_ESCAPES.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\x00", `\0`).Replace(s) + "'"
}

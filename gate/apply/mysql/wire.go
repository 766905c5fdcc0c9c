package mysql

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Status flags of a reply (MySQL internals manual, SERVER_STATUS_flags_enum).
const inTransactionFlag = 0x0001

// conn is a connection with a tap on its replies: whether a transaction is
// open and how many warnings there were is in each of them, and the driver
// does not hand it out.
type conn struct {
	driver.Conn
	tap    *tap
	id     int64
	schema string
	// status of the last reply that had one.
	status uint16
}

// reply is what the server said at the end of an exchange.
type reply struct {
	affected uint64 // of the last result
	// rows are those affected, or those returned by a query.
	rows     int64
	warnings int
}

// connect opens a connection as the tools do: one statement at a time, and no
// local files.
func connect(ctx context.Context, dsn, sqlMode string) (*conn, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("read the address of the server: it is no DSN of the form user:password@tcp(host:port)/database")
	}
	c := &conn{schema: cfg.DBName}
	cfg.AllowAllFiles, cfg.MultiStatements, cfg.InterpolateParams = false, false, false
	cfg.TLS, cfg.TLSConfig = nil, "false" // the tap reads plain text; the server is the gate's own
	cfg.Logger = &mysql.NopLogger{}
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		raw, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c.tap = &tap{Conn: raw}
		return c.tap, nil
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("read the address of the server: %w", err)
	}
	if c.Conn, err = connector.Connect(ctx); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := c.prepare(ctx, sqlMode); err != nil {
		return nil, errors.Join(fmt.Errorf("connect: %w", err), c.Conn.Close())
	}
	return c, nil
}

func (c *conn) prepare(ctx context.Context, sqlMode string) error {
	if sqlMode != "" {
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(sqlMode)
		if _, err := c.exchange(ctx, "SET SESSION sql_mode = '"+quoted+"'"); err != nil {
			return fmt.Errorf("set sql_mode: %w", err)
		}
	}
	rows, err := c.ask(ctx, "SELECT CONNECTION_ID()")
	if err != nil {
		return err
	}
	c.id, err = strconv.ParseInt(rows[0][0], 10, 64)
	return err
}

func (c *conn) inTransaction() bool { return c.status&inTransactionFlag != 0 }

// exchange sends one statement and reads all that comes back.
func (c *conn) exchange(ctx context.Context, sql string) (reply, error) {
	return c.exchangeEach(ctx, sql, nil)
}

// exchangeEach calls each with every row that comes back, if it is not nil.
func (c *conn) exchangeEach(ctx context.Context, sql string, each func([]driver.Value)) (reply, error) {
	returned, err := c.drain(ctx, sql, each)
	rep, ok := c.tap.reply()
	switch {
	case c.tap.infile:
		return reply{}, noLocalFiles
	case err != nil:
		return reply{}, err
	case !ok:
		return reply{}, errors.New("the server's reply ended in no status")
	}
	c.status = rep.status
	out := reply{affected: rep.affected, rows: int64(rep.affected), warnings: int(rep.warnings)}
	if returned >= 0 {
		out.rows = returned
	}
	return out, nil
}

// ask sends a query of the gate's own.
func (c *conn) ask(ctx context.Context, sql string) ([][]string, error) {
	var all [][]string
	status := c.status
	_, err := c.drain(ctx, sql, func(row []driver.Value) {
		all = append(all, texts(row))
	})
	if rep, ok := c.tap.reply(); ok {
		status = rep.status
	}
	c.status = status
	return all, err
}

// texts of a row; NULL is empty.
func texts(row []driver.Value) []string {
	out := make([]string, len(row))
	for i, v := range row {
		switch v := v.(type) {
		case []byte:
			out[i] = string(v)
		case nil:
		default:
			out[i] = fmt.Sprint(v)
		}
	}
	return out
}

// ping asks for nothing but a reply with a status.
func (c *conn) ping(ctx context.Context) error {
	if err := c.Conn.(driver.Pinger).Ping(ctx); err != nil {
		return err
	}
	if rep, ok := c.tap.reply(); ok {
		c.status = rep.status
	}
	return nil
}

// drain reads every result to its end, where an error may still be. It returns
// how many rows the last result had, -1 where that had no columns.
func (c *conn) drain(ctx context.Context, sql string, each func([]driver.Value)) (int64, error) {
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, sql, nil)
	if err != nil {
		return -1, err
	}
	n := int64(-1)
	for {
		if columns := len(rows.Columns()); columns > 0 {
			n = 0
			row := make([]driver.Value, columns)
			for {
				if err = rows.Next(row); err != nil {
					break
				}
				if n++; each != nil {
					each(row)
				}
			}
			if err != io.EOF {
				return n, errors.Join(err, ignoreBad(rows.Close()))
			}
		}
		next, ok := rows.(driver.RowsNextResultSet)
		if !ok || !next.HasNextResultSet() {
			break
		}
		if err = next.NextResultSet(); err == io.EOF {
			break
		} else if err != nil {
			return n, errors.Join(err, ignoreBad(rows.Close()))
		}
	}
	if !c.tap.ended() {
		n = -1 // CALL: an OK follows the results
	}
	return n, rows.Close()
}

// ignoreBad drops the error of closing what an error has closed already.
func ignoreBad(err error) error {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) {
		return nil
	}
	return err
}

func (c *conn) close() error { return ignoreBad(c.Conn.Close()) }

func isNetwork(err error) bool {
	var ne net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &ne)
}

// tap reads along on a connection. It follows the frames of the protocol
// (three bytes of length, one of sequence) and keeps the last one's beginning.
type tap struct {
	net.Conn
	header [4]byte
	filled int // of header
	left   int // of the frame's payload
	head   []byte
	size   int // of the frame that head belongs to
	frames int // of this reply
	// infile: the server asked for a file of the client.
	infile bool
}

// Write starts a new exchange where the client's sequence does.
func (t *tap) Write(p []byte) (int, error) {
	if len(p) >= 4 && p[3] == 0 {
		t.filled, t.left, t.frames, t.infile, t.size, t.head = 0, 0, 0, false, 0, t.head[:0]
	}
	return t.Conn.Write(p)
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.follow(p[:n])
	return n, err
}

// headSize holds an OK packet's fixed part: its header, two numbers of up to
// nine bytes, status and warnings.
const headSize = 1 + 9 + 9 + 2 + 2

func (t *tap) follow(p []byte) {
	for len(p) > 0 {
		if t.left == 0 {
			n := copy(t.header[t.filled:], p)
			t.filled, p = t.filled+n, p[n:]
			if t.filled < len(t.header) {
				return
			}
			t.filled = 0
			t.left = int(t.header[0]) | int(t.header[1])<<8 | int(t.header[2])<<16
			t.size, t.head, t.frames = t.left, t.head[:0], t.frames+1
			continue
		}
		n := min(len(p), t.left)
		if want := headSize - len(t.head); want > 0 {
			t.head = append(t.head, p[:min(n, want)]...)
		}
		t.left, p = t.left-n, p[n:]
		if t.left == 0 && t.frames == 1 && len(t.head) > 0 && t.head[0] == 0xfb {
			t.infile = true
		}
	}
}

// ended: the last frame is the end of a result set, not an OK by itself.
func (t *tap) ended() bool { return len(t.head) > 0 && t.head[0] == 0xfe }

type okPacket struct {
	affected         uint64
	status, warnings uint16
}

// reply reads the last frame as OK or EOF; false where it is neither.
func (t *tap) reply() (ok okPacket, found bool) {
	b := t.head
	switch {
	case t.left != 0 || len(b) == 0:
		return ok, false
	case b[0] == 0xfe && t.size == 5:
		return okPacket{warnings: binary.LittleEndian.Uint16(b[1:]), status: binary.LittleEndian.Uint16(b[3:])}, true
	case b[0] != 0x00 && b[0] != 0xfe:
		return ok, false
	}
	affected, n := number(b[1:])
	_, m := number(b[1+n:])
	rest := b[1+n+m:]
	if n == 0 || m == 0 || len(rest) < 4 {
		return ok, false
	}
	return okPacket{affected: affected, status: binary.LittleEndian.Uint16(rest), warnings: binary.LittleEndian.Uint16(rest[2:])}, true
}

// number reads a length-encoded integer, and how many bytes it takes; 0 for none.
func number(b []byte) (uint64, int) {
	if len(b) == 0 {
		return 0, 0
	}
	size := map[byte]int{0xfc: 2, 0xfd: 3, 0xfe: 8}[b[0]]
	if size == 0 {
		return uint64(b[0]), 1
	}
	if len(b) < 1+size {
		return 0, 0
	}
	var wide [8]byte
	copy(wide[:], b[1:1+size])
	return binary.LittleEndian.Uint64(wide[:]), 1 + size
}

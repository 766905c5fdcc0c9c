package container

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

var (
	// errStarting: a server answers, and says that it is not ready.
	errStarting = errors.New("the server is starting")
	// errNoAnswer: somebody accepts connections, not (yet) a server; the
	// engine's own proxy does so from the beginning.
	errNoAnswer = errors.New("connection closed without an answer")
)

// dial connects for a probe. That a connection is accepted proves nothing: the
// engine's proxy accepts long before the server listens.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(2 * time.Second))
}

// probePostgres asks whether a PostgreSQL server accepts sessions at an
// address, by the first message of the protocol.
func probePostgres(ctx context.Context, addr string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	// StartupMessage: length, protocol 3.0, parameters, NUL.
	params := "user\x00postgres\x00database\x00postgres\x00\x00"
	msg := binary.BigEndian.AppendUint32(nil, uint32(8+len(params)))
	msg = binary.BigEndian.AppendUint32(msg, 3<<16)
	if _, err := conn.Write(append(msg, params...)); err != nil {
		return errNoAnswer
	}
	var head [5]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return errNoAnswer
	}
	switch head[0] {
	case 'R': // authentication request: it takes sessions
		return nil
	case 'E':
		body := make([]byte, min(binary.BigEndian.Uint32(head[1:])-4, 4096))
		n, _ := io.ReadFull(conn, body)
		if sqlstate(body[:n]) == "57P03" {
			return errStarting
		}
		return nil // refused for another reason: the caller's driver will say it better
	}
	return fmt.Errorf("%s is not a PostgreSQL server: it answers with byte %#x", addr, head[0])
}

// probeMySQL asks whether a MySQL or MariaDB server accepts sessions at an
// address: it speaks first.
func probeMySQL(ctx context.Context, addr string) error {
	conn, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Length (3 bytes), number of the packet, first byte.
	var head [5]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return errNoAnswer
	}
	// The greeting of protocol 10, or an error: the caller's driver will say
	// that better.
	if head[3] == 0 && (head[4] == 10 || head[4] == 0xff) {
		return nil
	}
	return fmt.Errorf("%s is not a MySQL server: it answers with bytes % x", addr, head)
}

// sqlstate is the field C of an ErrorResponse's body.
func sqlstate(body []byte) string {
	for len(body) > 1 {
		end := 1
		for end < len(body) && body[end] != 0 {
			end++
		}
		if body[0] == 'C' {
			return string(body[1:end])
		}
		if end == len(body) {
			break
		}
		body = body[end+1:]
	}
	return ""
}

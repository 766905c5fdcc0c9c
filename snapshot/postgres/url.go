package postgres

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// URL is the only place that spells a connection with its password. A host that
// is a path is a socket's directory; params are as in a URL's query.
func URL(host string, port int, user, password, database, params string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(user, password),
		Host:     net.JoinHostPort(host, strconv.Itoa(port)),
		Path:     "/" + database,
		RawQuery: params,
	}
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		u.Host = ":" + strconv.Itoa(port) // pgx would take a host in the path for a name
		u.RawQuery = with(params, "host="+url.QueryEscape(host))
	}
	return u.String()
}

// with adds one more parameter to a query.
func with(query, more string) string { return strings.Trim(query+"&"+more, "&") }

// dsn connects to a database of the server.
func (s *Server) dsn(database, user, password string) string {
	params := s.target.Params
	if !s.guest() {
		params = "sslmode=disable" // nobody is between us and our own server
	}
	return URL(s.target.Host, s.target.Port, user, password, database, params)
}

// ownerDSN connects as the migrating role, or as the account that puts it on.
func (s *Server) ownerDSN(database string) string {
	switch {
	case s.owner == s.target.User:
		return s.dsn(database, s.target.User, s.target.Password)
	case s.through:
		t := *s
		target := *s.target
		target.Params, t.target = with(target.Params, "role="+url.QueryEscape(s.owner)), &target
		return t.dsn(database, s.target.User, s.target.Password)
	}
	return s.dsn(database, s.owner, s.ownerPassword())
}

// redact drops the text of an error that may quote a connection string.
func redact(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("the target's address cannot be read as a connection")
	}
	return err
}

package server

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
)

// address is where a server is and who asks there. Its String has no password.
type address struct {
	engine         string // as the URL's scheme has it
	host           string // a name, an address, or a socket's directory or path
	port           int
	user, password string
	database       string // to connect to; "" the product's own
	params         string // the URL's query
}

func (a address) String() string { return hostPort(a.host, a.port) }

func hostPort(host string, port int) string {
	if isSocket(host) {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func isSocket(host string) bool { return strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") }

func addressOf(h snapshot.Handle) address {
	return address{engine: h.Engine, host: h.Host, port: h.Port, user: h.User, password: h.Password, database: h.Database, params: h.Params}
}

// autoHosts is what "auto" tries: services by the names that recipes give them,
// and then this machine, where act and service containers with published ports
// have them.
var autoHosts = map[string][]string{
	snapshot.Postgres: {"postgres", "db", "database", "localhost"},
	snapshot.MySQL:    {"mysql", "mariadb", "db", "database", "localhost"},
}

// misread is what is wrong with --database-url, and what to do about it. It
// never quotes the URL, which has a password.
type misread struct{ what, remedy string }

func (e *misread) Error() string { return e.what + "; " + e.remedy }

// shape of a URL, for those who left something out.
const shape = "write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE"

// parse reads a URL into the addresses to try.
func parse(text string) ([]address, error) {
	if text == "" {
		return nil, &misread{"no server is named", "give --database-url"}
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, &misread{"--database-url cannot be read as a URL", "percent-encode special characters of the password (@ as %40, / as %2F)"}
	}
	a := address{params: u.RawQuery, database: strings.TrimPrefix(u.Path, "/"), host: u.Hostname()}
	switch u.Scheme {
	case "postgres", "postgresql":
		a.engine, a.port = snapshot.Postgres, 5432
	case "mysql", "mariadb":
		a.engine, a.port = snapshot.MySQL, 3306
	default:
		return nil, &misread{"--database-url names no engine", "it must begin with postgres:// or mysql://"}
	}
	if u.User != nil {
		a.user = u.User.Username()
		a.password, _ = u.User.Password()
	}
	if p := u.Port(); p != "" {
		if a.port, err = strconv.Atoi(p); err != nil || a.port < 1 || a.port > 65535 {
			return nil, &misread{"--database-url has the port " + p, "a port is a number from 1 to 65535"}
		}
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, &misread{"--database-url has parameters that cannot be read", "percent-encode special characters"}
	}
	if strings.Contains(u.Host, ",") {
		return nil, &misread{"--database-url names several hosts", "name the one to use"}
	}
	for _, key := range []string{"host", "port", "user", "password", "dbname", "service", "servicefile", "passfile"} {
		if q.Has(key) && !(key == "host" && a.host == "") {
			return nil, &misread{"--database-url has the parameter " + key + ", which would lead elsewhere", shape}
		}
	}
	if a.host == "" { // a socket is named in the query, for it has slashes
		for _, key := range []string{"host", "socket"} {
			if h := q.Get(key); h != "" {
				a.host = h
				q.Del(key)
			}
		}
		a.params = q.Encode()
	}
	if a.host == "" {
		return nil, &misread{"--database-url names no host", shape}
	}
	if a.user == "" {
		return nil, &misread{"--database-url names no user", shape}
	}
	if a.host != "auto" {
		return []address{a}, nil
	}
	var all []address
	for _, h := range autoHosts[a.engine] {
		a.host = h
		all = append(all, a)
	}
	return all, nil
}

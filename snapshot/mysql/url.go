package mysql

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// urlParams are those of go-sql-driver/mysql that a URL may give: none of them
// opens a file of this machine or changes what statements mean.
var urlParams = []string{"collation", "timeout", "allowCleartextPasswords", "allowNativePasswords", "connectionAttributes"}

// Config begins a connection to a server, which host may name by its socket,
// with the query of a URL: a few parameters of go-sql-driver/mysql. An error
// names the parameter and no value.
//
// Encryption is never asked for: what a reply says of transactions is read off
// the wire (gate/apply/mysql). So a URL that insists on it is refused.
func Config(host string, port int, query string) (*mysql.Config, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the parameters of the URL cannot be read: percent-encode special characters")
	}
	for _, name := range []string{"tls", "ssl-mode", "sslmode"} {
		switch strings.ToLower(values.Get(name)) {
		case "", "false", "preferred", "disabled", "disable", "prefer":
			values.Del(name)
		default:
			return nil, fmt.Errorf("the URL asks for encryption (%s), which a migration is not run over: use a server on this machine or in this job's network without it", name)
		}
	}
	for name := range values {
		if !slices.Contains(urlParams, name) {
			return nil, fmt.Errorf("the URL has the parameter %s, which is not supported: give one of %s", printable(name, 40), strings.Join(urlParams, ", "))
		}
	}
	cfg, err := mysql.ParseDSN("tcp(localhost)/?" + values.Encode())
	if err != nil {
		return nil, errors.New("the URL has a parameter with a value that cannot be read") // without the text, which may hold a secret
	}
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(host, strconv.Itoa(port))
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		cfg.Net, cfg.Addr = "unix", host
	}
	return cfg, nil
}

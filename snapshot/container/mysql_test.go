package container_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/container"
	"net"
	"os"
	"strconv"
)

func open(t *testing.T, host string, port int, user, password string) *sql.DB {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(host, strconv.Itoa(port))
	cfg.User, cfg.Passwd = user, password
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestQuick(t *testing.T) {
	for _, spec := range []snapshot.Spec{
		{Engine: "mysql", Version: "9.7", Image: "migration-gate-test/mysql:9.7"},
		{Engine: "mariadb", Version: "10.11", Image: "migration-gate-test/mariadb:10.11"},
	} {
		t.Run(spec.Engine, func(t *testing.T) {
			p := container.New(container.Options{LookupEnv: os.LookupEnv})
			spec.Run = "quick"
			begun := time.Now()
			lap := func(what string) {
				t.Helper()
				t.Logf("%s: %v", what, time.Since(begun).Round(time.Millisecond))
				begun = time.Now()
			}
			offer := p.Offer(t.Context(), spec)
			t.Logf("%+v", offer)
			begun = time.Now()
			target, err := p.Provision(t.Context(), spec, offer)
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close(context.Background())
			lap("provision " + target.Detail)
			var v string
			if err := open(t, target.Host, target.Port, target.User, target.Password).QueryRow("select version()").Scan(&v); err != nil {
				t.Fatal(err)
			}
			lap(v + " " + target.Version)
			in := target.Instances
			check := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			check(in.Stop(t.Context(), "base"))
			lap("stop")
			check(in.Copy(t.Context(), "base", "candidate"))
			lap("copy")
			host, port, err := in.Start(t.Context(), "candidate", map[string]string{"max_connections": "17"})
			check(err)
			lap("start")
			var n int
			check(open(t, host, port, target.User, target.Password).QueryRow("select @@max_connections").Scan(&n))
			if n != 17 {
				t.Error(n)
			}
			size, err := in.Size(t.Context(), "candidate")
			check(err)
			t.Log(size)
			_, _, err = in.Start(t.Context(), "base", nil)
			check(err)
			lap("start")
			check(in.Remove(t.Context(), "candidate"))
			lap("remove")
		})
	}
}

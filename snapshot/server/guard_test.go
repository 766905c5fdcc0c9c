package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// TestJudge: what is refused, and every reason that is named.
func TestJudge(t *testing.T) {
	hours := func(n int) time.Duration { return time.Duration(n) * time.Hour }
	full := []string{"shop", "crm"}
	for _, c := range []struct {
		name string
		host string
		opt  Options
		l    looked
		want []string // of the refusal; none: admitted
	}{
		{"a service of this job", "postgres", Options{CI: true}, looked{Up: time.Minute}, nil},
		{"at work for this job", "postgres", Options{CI: true}, looked{Up: hours(1), Others: full, Traffic: []string{"shop: sessions 3"}}, nil},
		{"by a private address, in CI", "172.18.0.2", Options{CI: true}, looked{Up: time.Minute}, nil},
		{"published on this machine", "localhost", Options{CI: true}, looked{Up: time.Minute}, nil},
		{"a socket", "/var/run/postgresql", Options{}, looked{Up: hours(1)}, nil},
		{"compose", "db", Options{}, looked{Up: hours(1)}, nil},
		{"an empty one of a laptop, up for long", "127.0.0.1", Options{}, looked{Up: hours(400)}, nil},
		{"IPv6", "::1", Options{}, looked{}, nil},
		{"from within a container", "host.docker.internal", Options{}, looked{}, nil},

		{"not this job's", "postgres", Options{CI: true}, looked{Up: hours(30)}, []string{"up for 30 hours, so this job did not start it"}},
		{"not this job's, at work", "postgres", Options{CI: true}, looked{Up: hours(100), Traffic: []string{"shop: sessions 3"}}, []string{"4 days", "shop: sessions 3"}},
		{"in use on a laptop", "localhost", Options{}, looked{Up: time.Minute, Traffic: []string{"a: sessions 1", "b: sessions 2", "c: sessions 3", "d: sessions 4"}},
			[]string{"traffic in other databases (a: sessions 1, b: sessions 2, c: sessions 3, …)"}},
		{"a tunnel to what holds data", "localhost", Options{}, looked{Up: hours(7), Others: full}, []string{"up for 7 hours and holds 2 other databases (shop, crm)"}},
		{"a private address on a laptop", "10.1.2.3", Options{}, looked{}, []string{"another machine (10.1.2.3)"}},
		{"a public address", "203.0.113.7", Options{CI: true}, looked{}, []string{"another machine (203.0.113.7)"}},
		{"a name with dots", "db.internal.example.com", Options{CI: true}, looked{}, []string{"another machine by its name"}},
		{"a name with dots, at work", "db.internal.example.com", Options{CI: true}, looked{Up: time.Minute, Traffic: []string{"shop: sessions 3"}}, []string{"another machine", "traffic"}},
		{"called production", "shop-prod", Options{CI: true}, looked{}, []string{"called production"}},
		{"called productivity", "productivity", Options{CI: true}, looked{}, nil},
		{"RDS", "shop.abc123.eu-west-1.rds.amazonaws.com", Options{CI: true}, looked{}, []string{"managed database"}},
		{"Azure", "shop.postgres.database.azure.com.", Options{}, looked{}, []string{"managed database"}},
		{"Neon", "ep-x-1.eu-central-1.aws.neon.tech", Options{}, looked{}, []string{"managed database"}},
		{"Supabase", "db.abc.supabase.co", Options{}, looked{}, []string{"managed database"}},
		{"the product's own signs, all of them", "postgres", Options{CI: true}, looked{Signs: []string{"has 1 replica attached (r1)", "archives its log"}}, []string{"has 1 replica attached (r1); it archives"}},

		{"allowed by host", "10.1.2.3", Options{Allow: []string{"10.1.2.3"}}, looked{Signs: []string{"x"}}, nil},
		{"allowed by host and port", "10.1.2.3", Options{Allow: []string{"10.1.2.3:5432"}}, looked{Signs: []string{"x"}}, nil},
		{"allowed in capitals", "DB.Example.com", Options{Allow: []string{"db.example.COM:5432"}}, looked{Signs: []string{"x"}}, nil},
		{"another port is allowed", "10.1.2.3", Options{Allow: []string{"10.1.2.3:5433"}}, looked{}, []string{"another machine"}},
		{"no glob allows", "10.1.2.3", Options{Allow: []string{"10.1.2.*"}}, looked{}, []string{"another machine"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := address{host: c.host, port: 5432}
			err := New(c.opt).judge(at, c.l)
			if err == nil && len(c.want) > 0 || err != nil && len(c.want) == 0 {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if err != nil && !strings.Contains(remedy(err), "--allow-server "+at.String()) {
				t.Errorf("the way out is %q", remedy(err))
			}
		})
	}
}

func TestDenied(t *testing.T) {
	p := New(Options{Deny: []string{"*.example.com", "db-*:5432", "10.*", "/var/run/*"}})
	for hostPort, want := range map[string]string{
		"shop.example.com:5432": "*.example.com", "SHOP.Example.Com:1": "*.example.com", "db-1:5432": "db-*:5432", "db-1:5433": "", "10.0.0.9:5432": "10.*",
		"localhost:5432": "", "/var/run/postgresql": "/var/run/*", "": "",
	} {
		if got := p.denied(hostPort); got != want {
			t.Errorf("%s: denied by %q, want %q", hostPort, got, want)
		}
	}
	// Denied is denied, allowed or not.
	p = New(Options{URL: "postgres://ci:hunter2@localhost:1/x", Allow: []string{"localhost"}, Deny: []string{"localhost:*"}})
	o := p.Offer(t.Context(), snapshot.Spec{})
	if o.OK || !strings.Contains(o.Detail, "--deny-server localhost:*") || strings.Contains(o.Help, "--allow-server") {
		t.Errorf("%+v", o)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"postgres://ci:p%40ss@db:6543/shop?sslmode=require", "postgres db:6543 ci p@ss shop sslmode=require"},
		{"postgresql://ci@db", "postgres db:5432 ci   "},
		{"mysql://root:x@mysql", "mysql mysql:3306 root x  "},
		{"mariadb://root@[::1]:3307/", "mysql [::1]:3307 root   "},
		{"postgres://ci:x@/shop?host=/var/run/postgresql&sslmode=disable", "postgres /var/run/postgresql ci x shop sslmode=disable"},
		{"mysql://ci:x@/?socket=/run/mysqld/mysqld.sock", "mysql /run/mysqld/mysqld.sock ci x  "},
		{"postgres://ci:x@auto/shop", "postgres postgres:5432 ci x shop  | postgres db:5432 ci x shop  | postgres database:5432 ci x shop  | postgres localhost:5432 ci x shop "},
	} {
		all, err := parse(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		var got []string
		for _, a := range all {
			got = append(got, strings.Join([]string{a.engine, a.String(), a.user, a.password, a.database, a.params}, " "))
		}
		if s := strings.Join(got, " | "); strings.TrimSpace(s) != strings.TrimSpace(c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.url, s, c.want)
		}
	}
	for url, want := range map[string]string{
		"http://x": "must begin with", "postgres://ci:hunter2@db:port/x": "percent-encode", "postgres://ci:hun/ter2@db/x": "", "postgres://ci:hunter2@/x": "names no host",
		"postgres://db/x": "names no user", "postgres://ci:hunter2@db:99999/x": "1 to 65535", "postgres://ci:hunter2@a,b/x": "several hosts", "postgres://ci:hunter2@a:1,b:2/x": "several hosts",
		"postgres://ci@db/x?password=hunter2": "password", "postgres://ci:hunter2@db/x?host=other": "host", "postgres://ci:hunter2@db/x?service=prod": "service",
		"": "give --database-url", "postgres://ci:hunter2@db/x?a=%zz": "parameters",
	} {
		_, err := parse(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

func TestRemedy(t *testing.T) {
	if r := remedy(errors.New("x")); r != "" {
		t.Errorf("%q", r)
	}
}

package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
)

func TestVersionsOfMySQLAndMariaDB(t *testing.T) {
	for said, want := range map[string][2]string{ // of MySQL, of MariaDB
		"/usr/sbin/mysqld  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))":                      {"8.0.36", ""},
		"mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))":                                                {"9.7.4", ""},
		"/usr/sbin/mysqld  Ver 8.4.3 for Linux on aarch64 (MySQL Community Server - GPL)":                   {"8.4.3", ""},
		"/opt/homebrew/opt/mysql@8.0/bin/mysqld  Ver 8.0.40 for macos15.1 on arm64 (Homebrew)":              {"8.0.40", ""},
		"/usr/sbin/mysqld  Ver 8.0.36-28 for Linux on x86_64 (Percona Server (GPL), Release 28)":            {"8.0.36", ""},
		"mysql  Ver 14.14 Distrib 5.7.44, for Linux (x86_64) using  EditLine wrapper":                       {"5.7.44", ""},
		"mariadbd  Ver 10.11.18-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)":               {"", "10.11.18"},
		"mysqld  Ver 10.6.16-MariaDB-0ubuntu0.22.04.1 for debian-linux-gnu on x86_64 (Ubuntu 22.04)":        {"", "10.6.16"},
		"mariadb  Ver 15.1 Distrib 10.11.18-MariaDB, for debian-linux-gnu (x86_64) using  EditLine wrapper": {"", "10.11.18"},
		"mariadb from 11.4.2-MariaDB, client 15.2 for debian-linux-gnu (x86_64) using  EditLine wrapper":    {"", "11.4.2"},
		"mariadb-dump  Ver 10.19 Distrib 10.11.18-MariaDB, for debian-linux-gnu (x86_64)":                   {"", "10.11.18"},
		"mariadb-dump from 11.8.3-MariaDB, client 10.19 for debian-linux-gnu (x86_64)":                      {"", "11.8.3"},
		"/usr/local/mariadb/bin/mariadbd  Ver 11.4.5-MariaDB-log for Linux on x86_64 (MariaDB Server)":      {"", "11.4.5"},
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)":                                              {"", ""},
		"mydumper 0.10.0, built against MySQL 10.5.10":                                                      {"", ""},
		"mysqldump  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))":                             {"8.0.36", ""},
	} {
		if got := [2]string{mysql().version(said), mariadb().version(said)}; got != want {
			t.Errorf("%s: MySQL %q, MariaDB %q, want %q", said, got[0], got[1], want)
		}
	}
}

func TestChooseSeriesOfMySQL(t *testing.T) {
	installed := []binaries{{"/97", "9.7.4"}, {"/90", "9.0.1"}, {"/84b", "8.4.10"}, {"/84a", "8.4.3"}, {"/80", "8.0.36"}, {"/57", "5.7.44"}}
	for _, tt := range []struct {
		wanted, dir string
		exact       bool
	}{
		{"", "/97", true},
		{"8.0", "/80", true},
		{"8.0.30", "/80", true}, // the series, not the release
		{"8.4", "/84b", true},
		{"8.1", "/84b", false}, // the nearest newer one
		{"9.5", "/97", false},
		{"8", "/84b", true}, // as the images' tags mean it
		{"9", "/97", true},
		{"10.0", "", false},
	} {
		best, exact := choose(snapshot.MySQL, installed, tt.wanted)
		if best == nil {
			best = &binaries{}
		}
		if best.dir != tt.dir || exact != tt.exact {
			t.Errorf("choose(%q) = %q, %v; want %q, %v", tt.wanted, best.dir, exact, tt.dir, tt.exact)
		}
	}
}

// Trees as packagers make them; each must be found where it is, not where
// the programs were built for.
func TestLayouts(t *testing.T) {
	for _, tt := range []struct {
		name, bin                   string
		files                       []string
		messages, charsets, plugins string
	}{
		{"Debian", "usr/sbin", []string{"usr/share/mysql/english/errmsg.sys", "usr/share/mysql/charsets/Index.xml", "usr/lib/mysql/plugin/x.so"},
			"usr/share/mysql", "usr/share/mysql/charsets", "usr/lib/mysql/plugin"},
		{"Oracle's tarball", "mysql-8.4.3-linux/bin", []string{"mysql-8.4.3-linux/share/english/errmsg.sys", "mysql-8.4.3-linux/share/charsets/Index.xml", "mysql-8.4.3-linux/lib/plugin/x.so"},
			"mysql-8.4.3-linux/share", "mysql-8.4.3-linux/share/charsets", "mysql-8.4.3-linux/lib/plugin"},
		{"Oracle's RPM", "usr/sbin", []string{"usr/share/mysql-8.4/english/errmsg.sys", "usr/share/mysql-8.4/charsets/Index.xml", "usr/lib64/mysql/plugin/x.so"},
			"usr/share/mysql-8.4", "usr/share/mysql-8.4/charsets", "usr/lib64/mysql/plugin"},
		{"Red Hat's MariaDB", "usr/libexec", []string{"usr/share/mariadb/english/errmsg.sys", "usr/share/mariadb/charsets/Index.xml", "usr/lib64/mariadb/plugin/x.so"},
			"usr/share/mariadb", "usr/share/mariadb/charsets", "usr/lib64/mariadb/plugin"},
		{"Homebrew", "Cellar/mysql/9.0/bin", []string{"Cellar/mysql/9.0/share/mysql/english/errmsg.sys", "Cellar/mysql/9.0/share/mysql/charsets/Index.xml", "Cellar/mysql/9.0/lib/plugin/x.so"},
			"Cellar/mysql/9.0/share/mysql", "Cellar/mysql/9.0/share/mysql/charsets", "Cellar/mysql/9.0/lib/plugin"},
		{"nothing known", "x/bin", nil, "", "", ""},
	} {
		root := t.TempDir()
		for _, f := range tt.files {
			write(t, filepath.Join(root, f), "")
		}
		l := layoutOf(filepath.Join(root, tt.bin))
		rel := func(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, root), "/") }
		if rel(l.messages) != tt.messages || rel(l.charsets) != tt.charsets || rel(l.plugins) != tt.plugins || rel(l.base) != filepath.Dir(tt.bin) {
			t.Errorf("%s: base %s, messages %s, charsets %s, plugins %s", tt.name, l.base, l.messages, l.charsets, l.plugins)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOptions(t *testing.T) {
	got := options(map[string]string{
		"sql_mode": "", "skip_log_bin": "1", "skip-networking": "", "skip_name_resolve": "OFF",
		"loose_innodb_redo_log_capacity": "1G", "loose_skip_host_cache": "ON", "init_connect": "SET NAMES utf8mb4",
	})
	want := []string{
		"--init-connect=SET NAMES utf8mb4", "--loose-innodb-redo-log-capacity=1G", "--loose-skip-host-cache",
		"--skip-networking", "--skip-log-bin", "--sql-mode=",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("options are %q, want %q", got, want)
	}
}

func TestOffersOfMySQL(t *testing.T) {
	dir := t.TempDir()
	program(t, dir+"/my/bin/mysqld", "mysqld  Ver 77.1.2 for Linux on x86_64 (MySQL Community Server - GPL)")
	program(t, dir+"/maria/bin/mariadbd", "mariadbd  Ver 88.11.1-MariaDB for Linux on x86_64")
	program(t, dir+"/old/bin/mysqld", "mysqld  Ver 88.6.1-MariaDB for Linux on x86_64") // before it had a name of its own
	write(t, dir+"/old/lib/plugin/metadata_lock_info.so", "")
	p := New(Options{Bins: []string{dir + "/maria/bin", dir + "/my/bin", dir + "/old/bin"}})
	for _, tt := range []struct {
		engine, version string
		ok, exact       bool
		place           string
		detail          []string
	}{
		{"mysql", "77.1", true, true, "/my/bin", []string{"server binaries 77.1.2 in "}},
		{"mysql", "76.4", true, false, "/my/bin", []string{"(MySQL 76.4 was wanted and is not installed: locks, rewrites and syntax may differ)"}},
		{"mysql", "78.0", false, false, "", []string{"wanted MySQL 78.0 or newer, found only 77.1.2 in "}},
		{"mariadb", "88.6", true, true, "/old/bin", []string{"server binaries 88.6.1 in "}},
		{"mariadb", "88.11", true, true, "/maria/bin", []string{"metadata_lock_info is not installed"}},
		{"mariadb", "89", false, false, "", []string{"wanted MariaDB 89 or newer"}},
		{"oracle", "", false, false, "", []string{`no local servers of engine "oracle"`}},
	} {
		o := p.Offer(t.Context(), snapshot.Spec{Engine: tt.engine, Version: tt.version})
		if o.OK != tt.ok || o.Exact != tt.exact || strings.TrimPrefix(o.Place, dir) != tt.place {
			t.Errorf("%s %s: %+v", tt.engine, tt.version, o)
		}
		for _, d := range tt.detail {
			if !strings.Contains(o.Detail, d) {
				t.Errorf("%s %s: detail %q, want %q in it", tt.engine, tt.version, o.Detail, d)
			}
		}
	}
	if o := p.Offer(t.Context(), snapshot.Spec{Engine: "mariadb", Version: "88.6"}); strings.Contains(o.Detail, "not installed") {
		t.Errorf("misses a plugin that is there: %s", o.Detail)
	}
}

func TestNothingPrebuiltOfMySQL(t *testing.T) {
	p := NewEmbedded(EmbeddedOptions{Cache: t.TempDir()})
	for engine, want := range map[string]string{"mysql": "mysql-server-core", "mariadb": "mariadb-server"} {
		if o := p.Offer(t.Context(), snapshot.Spec{Engine: engine}); o.OK || !strings.HasPrefix(o.Help, want) || !strings.Contains(o.Detail, "no prebuilt") {
			t.Errorf("%s: %+v", engine, o)
		}
	}
}

// A server without its libraries is one that is there and does not run, which
// is not the same as none; the other product's server is none.
func TestAServerThatDoesNotRunIsTold(t *testing.T) {
	dir := t.TempDir()
	m := &machine{opt: Options{Bins: []string{dir + "/torn", dir + "/maria"}}, kind: "local"}
	product := mysql()
	product.places = nil
	program(t, dir+"/maria/mysqld", "mysqld  Ver 10.5.1-MariaDB for Linux on x86_64")
	if _, _, broken := m.find(t.Context(), product, product.programs...); len(broken) > 0 {
		t.Errorf("the other product's server is broken: %q", broken)
	}
	write(t, dir+"/torn/mysqld", "#!/bin/sh\necho 'mysqld: error while loading shared libraries: libaio.so.1: cannot open' >&2\nexit 127\n")
	if err := os.Chmod(dir+"/torn/mysqld", 0o755); err != nil {
		t.Fatal(err)
	}
	_, _, broken := m.find(t.Context(), product, product.programs...)
	if len(broken) != 1 || !strings.Contains(broken[0], dir+"/torn/mysqld") || !strings.Contains(broken[0], "libaio.so.1") {
		t.Errorf("broken are %q", broken)
	}
}

func TestClientNames(t *testing.T) {
	c := &cluster{scratch: "/s", product: mariadb(), password: "geheim"}
	for program, want := range map[string]string{
		"mysql": "mariadb mysql", "mysqldump": "mariadb-dump mysqldump", "mariadb": "mariadb mysql",
		"mariadb-dump": "mariadb-dump mysqldump", "mysql_upgrade": "mariadb-upgrade mysql_upgrade", "myloader": "myloader", "sh": "sh",
	} {
		names, args, env := c.client(c, 3310, program, []string{"-e", "select 1"})
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s is called %q, want %q", program, got, want)
		}
		if strings.Contains(strings.Join(args, " "), "geheim") {
			t.Errorf("%s: the password is on the command line: %q", program, args)
		}
		if !slices.Contains(env, "MYSQL_TCP_PORT=3310") || !slices.Contains(env, "MYSQL_PWD=geheim") {
			t.Errorf("%s: environment %q", program, env)
		}
		if slices.Contains(args, "--defaults-file=/s/sock/client.cnf") != (program != "sh") {
			t.Errorf("%s: arguments %q", program, args)
		}
	}
}

package local_test

import (
	"bytes"
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMySQL(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			root := scratch(t)
			p, spec := mysqlProvisioner(t, flavour, root)
			snapshottest.SupportedTarget(t, "local", spec.Engine)
			snapshottest.Exercise(t, p, spec, leftovers(t, root))
		})
	}
}

// mysqlProvisioner returns one that offers exactly the spec.
func mysqlProvisioner(t *testing.T, flavour, root string) (*local.Provisioner, snapshot.Spec) {
	t.Helper()
	opt := snapshottest.MySQLOptions()
	opt.Scratch = root
	p := local.New(opt)
	spec := snapshottest.MySQLSpec(flavour)
	offer := p.Offer(t.Context(), spec)
	snapshottest.Need(t, flavour, offer)
	spec.Version = snapshot.Series(spec.Engine, offer.Version)
	spec.Run = "local-" + strconv.Itoa(os.Getpid())
	spec.Settings = snapshottest.MySQLSettings(flavour)
	return p, spec
}

// Settings that lock others out, or are for the life of a data directory, and
// a scratch directory with a path too long for a Unix socket.
func TestMySQLComesUpWith(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			root := filepath.Join(scratch(t), strings.Repeat("long-", 20))
			if err := os.MkdirAll(root, 0o755); err != nil {
				t.Fatal(err)
			}
			p, spec := mysqlProvisioner(t, flavour, root)
			spec.Settings["skip_name_resolve"] = "ON"
			spec.Settings["lower_case_table_names"] = "1"
			spec.Settings["bind_address"] = "0.0.0.0" // is not up to the caller
			spec.Settings["local-infile"] = "ON"      // nor is that
			target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close(t.Context())
			db := open(t, target, target.Port)
			var user, address, datadir, log string
			var lower, infile int
			err = db.QueryRow("select current_user(), @@bind_address, @@lower_case_table_names, @@local_infile, @@datadir").Scan(&user, &address, &lower, &infile, &datadir)
			if err != nil {
				t.Fatal(err)
			}
			if user != "root@localhost" || address != "127.0.0.1" || lower != 1 || infile != 0 {
				t.Errorf("user %s, address %s, lower_case_table_names %d, local_infile %d", user, address, lower, infile)
			}
			noPasswordAbout(t, target.Handle.ID, target.Password)

			// A clean stop leaves nothing to recover.
			if err := target.Instances.Stop(t.Context(), snapshot.FirstInstance); err != nil {
				t.Fatal(err)
			}
			if err := target.Instances.Copy(t.Context(), snapshot.FirstInstance, "copy"); err != nil {
				t.Fatal(err)
			}
			_, port, err := target.Instances.Start(t.Context(), "copy", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := target.Tools.Run(t.Context(), "mysql", []string{"-e", "select 1"}, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "base does not run") {
				t.Errorf("a program whose instance does not run: %v", err)
			}
			for _, name := range []string{"base.log", "copy.log"} {
				said, err := os.ReadFile(filepath.Join(target.Handle.ID, name))
				if err != nil {
					t.Fatal(err)
				}
				log += string(said)
			}
			if !strings.Contains(log, "hutdown complete") || strings.Contains(log, "rash recovery") || strings.Contains(log, "[ERROR]") {
				t.Errorf("the servers said:\n%s", log)
			}

			// A client program reaches another instance by its port.
			var out, errs bytes.Buffer
			err = target.Tools.Run(t.Context(), "mysql", []string{"--port=" + strconv.Itoa(port), "-BNe", "select @@port, @@datadir"}, nil, &out, &errs)
			if !strings.HasPrefix(out.String(), strconv.Itoa(port)+"\t") || !strings.Contains(out.String(), "/data/copy") {
				t.Errorf("the instance on port %d: %s %s %v", port, &out, &errs, err)
			}
		})
	}
}

// noPasswordAbout looks for it where others can read: in command lines.
func noPasswordAbout(t *testing.T, scratch, password string) {
	t.Helper()
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range lines {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(password)) {
			t.Errorf("%s holds the password: %q", file, line)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(scratch, "sock", "init*")); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
}

func open(t *testing.T, target *snapshot.Target, port int) *sql.DB {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(target.Host, strconv.Itoa(port))
	cfg.User, cfg.Passwd = target.User, target.Password
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestMySQLSaysWhyItDoesNotStart(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			root := scratch(t)
			p, spec := mysqlProvisioner(t, flavour, root)
			spec.Settings["no_such_option"] = "1"
			_, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
			if err == nil || !strings.Contains(err.Error(), "unknown variable 'no-such-option=1'") {
				t.Errorf("with an unknown option: %v", err)
			}
			if left := leftovers(t, root)(spec.Run); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}

			delete(spec.Settings, "no_such_option")
			target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close(t.Context())
			if err := target.Instances.Stop(t.Context(), snapshot.FirstInstance); err != nil {
				t.Fatal(err)
			}
			_, _, err = target.Instances.Start(t.Context(), snapshot.FirstInstance, map[string]string{"no_such_option": "1"})
			if err == nil || !strings.Contains(err.Error(), "start instance base: ") || !strings.Contains(err.Error(), "unknown variable 'no-such-option=1'") {
				t.Errorf("an instance with an unknown option: %v", err)
			}
			if _, _, err = target.Instances.Start(t.Context(), snapshot.FirstInstance, nil); err != nil {
				t.Errorf("and then without: %v", err)
			}
		})
	}
}

func TestMySQLFromATemplate(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			root := scratch(t)
			dir := filepath.Join(root, "initialised")
			opt := snapshottest.MySQLOptions()
			opt.Scratch, opt.Templates = root, dir
			p := local.New(opt)
			_, spec := mysqlProvisioner(t, flavour, root)
			kept := func() string {
				names, _ := filepath.Glob(dir + "/*")
				return strings.Join(names, " ")
			}
			provision := func() (*snapshot.Target, string) {
				target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = target.Close(t.Context()) })
				uuid := "none"
				if spec.Engine == snapshot.MySQL {
					if err := open(t, target, target.Port).QueryRow("select @@server_uuid").Scan(&uuid); err != nil {
						t.Fatal(err)
					}
				} else if err := open(t, target, target.Port).Ping(); err != nil {
					t.Fatal(err)
				}
				return target, uuid
			}
			first, a := provision()
			template := kept()
			if strings.Contains(template, " ") || template == "" {
				t.Fatalf("kept %q", template)
			}
			spec.Settings["max_connections"] = "44" // is up to each start
			second, b := provision()
			if kept() != template {
				t.Errorf("kept %q, and then %q", template, kept())
			}
			var n int
			if err := open(t, second, second.Port).QueryRow("select @@max_connections").Scan(&n); err != nil || n != 44 {
				t.Errorf("max_connections %d, %v", n, err)
			}
			if a == b && a != "none" {
				t.Errorf("two servers are both %s", a)
			}
			stranger := *second
			stranger.Password = first.Password
			if err := open(t, &stranger, second.Port).Ping(); err == nil {
				t.Error("one server's password is another's too")
			}

			// A damaged one costs time, and never twice.
			if err := os.Truncate(filepath.Join(template, "ibdata1"), 4096); err != nil {
				t.Fatal(err)
			}
			provision()
			if kept() != "" {
				t.Errorf("kept the damaged %q", kept())
			}
			provision()
			if kept() != template {
				t.Errorf("kept %q", kept())
			}
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(template); err != nil {
				t.Fatal(err)
			}
			provision() // and leaves alone what others can write to
			if kept() != "" {
				t.Errorf("kept %q where everybody can write", kept())
			}
		})
	}
}

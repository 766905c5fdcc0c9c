package container_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/container"
)

// serve starts a target and ends it with the test.
func serve(t *testing.T, p *container.Provisioner, spec snapshot.Spec) *snapshot.Target {
	t.Helper()
	offer := p.Offer(t.Context(), spec)
	if !offer.OK || !offer.Exact {
		t.Fatalf("offer for %s %s is %+v", spec.Engine, spec.Version, offer)
	}
	begun := time.Now()
	target, err := p.Provision(t.Context(), spec, offer)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %s after %v: %s", spec.Engine, target.Version, time.Since(begun).Round(time.Millisecond), target.Detail)
	t.Cleanup(func() {
		if err := target.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if l := leftovers(t)(spec.Run); len(l) > 0 {
			t.Errorf("left behind: %q", l)
		}
	})
	return target
}

// ask runs one query on a server and returns its rows, columns joined by "|".
func ask(host string, port int, user, password, query string) ([]string, error) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(host, strconv.Itoa(port))
	cfg.User, cfg.Passwd, cfg.Timeout, cfg.MultiStatements = user, password, 5*time.Second, true
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for {
		names, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			vals := make([]sql.NullString, len(names))
			into := make([]any, len(names))
			for i := range vals {
				into[i] = &vals[i]
			}
			if err := rows.Scan(into...); err != nil {
				return nil, err
			}
			line := make([]string, len(names))
			for i, v := range vals {
				line[i] = v.String
			}
			list = append(list, strings.Join(line, "|"))
		}
		if !rows.NextResultSet() {
			return list, rows.Err()
		}
	}
}

// instance is one server of a target as a test sees it.
type instance struct {
	*snapshot.Target
	name string
	host string
	port int
}

func start(t *testing.T, target *snapshot.Target, name string, settings map[string]string) instance {
	t.Helper()
	host, port, err := target.Instances.Start(t.Context(), name, settings)
	if err != nil {
		t.Fatal(err)
	}
	return instance{target, name, host, port}
}

func (i instance) ask(t *testing.T, query string) string {
	t.Helper()
	rows, err := ask(i.host, i.port, i.User, i.Password, query)
	if err != nil {
		t.Fatalf("%s: %s: %v", i.name, query, err)
	}
	return strings.Join(rows, "\n")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A later process finds the instances as they are, and starts others with what
// was wanted of the target.
func TestInstancesAreFoundAgain(t *testing.T) {
	eachMySQL(t, func(t *testing.T, p *container.Provisioner, spec snapshot.Spec) {
		spec.Settings = map[string]string{"max_connections": "77", "skip_log_bin": "1", "init_connect": "SET @a = 'x y'"}
		target := serve(t, p, spec)
		in := target.Instances
		lap := func(what string, begun time.Time) {
			t.Logf("%s: %v", what, time.Since(begun).Round(time.Millisecond))
		}
		begun := time.Now()
		must(t, in.Stop(t.Context(), "base"))
		lap("stop", begun)
		begun = time.Now()
		must(t, in.Copy(t.Context(), "base", "candidate"))
		lap("copy", begun)
		begun = time.Now()
		candidate := start(t, target, "candidate", map[string]string{"max_connections": "33", "innodb_read_only": "ON"})
		lap("start", begun)

		attached, err := p.Attach(t.Context(), target.Handle)
		must(t, err)
		if attached.Version != target.Version || attached.Host != target.Host || attached.Port != target.Port || attached.User != target.User {
			t.Errorf("attached to %+v, left %+v", attached, target)
		}
		// MariaDB 10.11 shows the variable as 0 in some queries, but not its sum.
		const both = "select @@max_connections, @@innodb_read_only + 0"
		if found := start(t, attached, "candidate", nil); found.port != candidate.port || found.ask(t, both) != "33|1" {
			t.Errorf("found candidate at %+v, left it at %+v", found, candidate)
		}
		must(t, attached.Instances.Stop(t.Context(), "candidate"))
		if again := start(t, attached, "candidate", nil); again.ask(t, both+", @@init_connect") != "77|0|SET @a = 'x y'" {
			t.Errorf("the target's own settings are lost to a later process: %s", again.ask(t, both))
		}

		// A copy that is given up leaves nothing, and what was there before alone.
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		if err := in.Copy(ctx, "base", "late"); err != nil {
			if _, err := in.Size(t.Context(), "late"); err == nil {
				t.Error("a copy that was given up is there")
			}
			must(t, in.Copy(t.Context(), "base", "late"))
		}
		if err := in.Copy(ctx, "base", "candidate"); err == nil {
			t.Error("copied over an instance that is there")
		}
		if _, err := in.Size(t.Context(), "candidate"); err != nil {
			t.Errorf("a copy onto it took it away: %v", err)
		}
		base := start(t, attached, "base", nil)
		if base.port != target.Port {
			t.Errorf("the first instance moved from port %d to %d", target.Port, base.port)
		}
	})
}

// Servers run side by side up to a number, and then say so.
func TestAsManyServersAsThereArePorts(t *testing.T) {
	eachMySQL(t, func(t *testing.T, p *container.Provisioner, spec snapshot.Spec) {
		target := serve(t, p, spec)
		in := target.Instances
		must(t, in.Stop(t.Context(), "base"))
		ports := map[int]bool{}
		for i := range 4 {
			name := "side" + strconv.Itoa(i)
			must(t, in.Copy(t.Context(), "base", name))
			s := start(t, target, name, nil)
			if got := s.ask(t, "select @@datadir"); !strings.Contains(got, name) || ports[s.port] {
				t.Errorf("%s answers on %d from %s, others on %v", name, s.port, got, ports)
			}
			ports[s.port] = true
		}
		must(t, in.Copy(t.Context(), "base", "surplus"))
		if _, _, err := in.Start(t.Context(), "surplus", nil); err == nil || !strings.Contains(err.Error(), "stop one") {
			t.Errorf("one server too many: %v", err)
		}
		must(t, in.Stop(t.Context(), "side2"))
		start(t, target, "surplus", nil)
	})
}

// The server is the run's alone, and what it runs reaches no file of anybody.
func TestMySQLIsContained(t *testing.T) {
	eachMySQL(t, func(t *testing.T, p *container.Provisioner, spec snapshot.Spec) {
		// Settings of a caller do not undo what contains the server.
		spec.Settings = map[string]string{"local_infile": "ON", "event_scheduler": "ON", "secure_file_priv": "", "performance_schema": "OFF"}
		target := serve(t, p, spec)
		base := start(t, target, "base", nil)
		if got := base.ask(t, "select @@local_infile, @@event_scheduler, @@performance_schema"); got != "0|OFF|1" {
			t.Errorf("local_infile, event_scheduler, performance_schema are %s", got)
		}
		for _, dir := range []string{"/tmp/x", "/var/lib/migration-gate/x", "/var/lib/migration-gate/nowhere/x", "x"} {
			if rows, err := ask(target.Host, target.Port, target.User, target.Password, "select 1 into outfile '"+dir+"'"); err == nil {
				t.Errorf("a file was written to %s: %q", dir, rows)
			}
		}
		if got := base.ask(t, "select load_file('/etc/passwd')"); got != "" {
			t.Errorf("a file was read: %s", got)
		}
		for _, login := range [][2]string{{"root", ""}, {"", ""}, {"root", "root"}, {"root", target.Password + "x"}, {"mysql", ""}} {
			if _, err := ask(target.Host, target.Port, login[0], login[1], "select 1"); err == nil {
				t.Errorf("user %q got in with password %q", login[0], login[1])
			}
		}
		for _, socket := range []string{"--protocol=tcp", "--socket=/var/lib/migration-gate/instances/base/mysqld.sock"} {
			out, err := exec.Command("docker", "exec", "--user", "mysql", target.Handle.ID, "sh", "-c",
				`c=$(command -v mariadb || command -v mysql); "$c" --no-defaults --host=localhost --user=root `+socket+` -e 'select 1'`).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "Access denied") {
				t.Errorf("root without a password over %s: %v: %s", socket, err, out)
			}
		}
		accounts := base.ask(t, "select concat(user, '@', host) from mysql.user where user not like 'mysql.%' and user <> 'mariadb.sys' order by 1")
		if accounts != "root@%\nroot@localhost" {
			t.Errorf("accounts:\n%s", accounts)
		}
		for _, user := range []string{"root", "mysql"} {
			look := exec.Command("docker", "exec", "--interactive", "--user", user, target.Handle.ID, "sh", "-c",
				`IFS= read -r p; grep -srlF -- "$p" /var/lib/migration-gate /tmp; for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do { tr '\0' '\n' <$f | grep -nF -- "$p"; } 2>/dev/null; done`)
			look.Stdin = strings.NewReader(target.Password + "\n")
			if out, _ := look.CombinedOutput(); len(out) > 0 {
				t.Errorf("%s can read the password in the container:\n%s", user, out)
			}
		}
		if ports, err := exec.Command("docker", "port", target.Handle.ID).CombinedOutput(); strings.Contains(target.Detail, "leads nowhere") && (err != nil || len(ports) > 0) {
			t.Errorf("ports are published: %q, %v", ports, err)
		}
		if listening := base.ask(t, "select @@port"); listening != "3306" {
			t.Errorf("listens on %s", listening)
		}
	})
}

// MariaDB's own view of metadata locks comes by a plugin, which is there or
// said to be missing.
func TestMetadataLockInfo(t *testing.T) {
	spec := mysqls[1]
	image(t, spec.Image)
	p := container.New(container.Options{LookupEnv: os.LookupEnv})

	spec.Run = t.Name()
	base := start(t, serve(t, p, spec), "base", nil)
	if got := base.ask(t, "select count(*) from information_schema.metadata_lock_info"); got == "" {
		t.Errorf("metadata_lock_info says nothing")
	}

	spec.Run, spec.Image = t.Name()+"-less", derive(t, spec.Image, "RUN rm /usr/lib/mysql/plugin/metadata_lock_info.so")
	if target := serve(t, p, spec); !strings.Contains(target.Detail, "without metadata_lock_info (not in the image)") {
		t.Errorf("the target does not say what it lacks: %s", target.Detail)
	}
}

func TestMySQLTools(t *testing.T) {
	eachMySQL(t, func(t *testing.T, p *container.Provisioner, spec snapshot.Spec) {
		target := serve(t, p, spec)
		run := func(ctx context.Context, program, stdin string, args ...string) (string, string, error) {
			var out, errs bytes.Buffer
			err := target.Tools.Run(ctx, program, args, strings.NewReader(stdin), &out, &errs)
			return strings.TrimSpace(out.String()), errs.String(), err
		}
		// Either family's name will do: images have dropped some.
		for _, client := range []string{"mysql", "mariadb"} {
			if out, errs, err := run(t.Context(), client, "select 6*7, current_user();\n", "-N"); out != "42\troot@%" || err != nil {
				t.Errorf("%s from its input: %q, %q, %v", client, out, errs, err)
			}
		}
		if _, errs, err := run(t.Context(), "mysql", "create database shop; create table shop.t (i int); insert into shop.t values (1), (2);"); err != nil {
			t.Fatalf("%v: %s", err, errs)
		}
		for _, dump := range []string{"mysqldump", "mariadb-dump"} {
			if out, errs, err := run(t.Context(), dump, "", "--databases", "shop"); err != nil || !strings.Contains(out, "INSERT INTO `t` VALUES") {
				t.Errorf("%s: %v, %s", dump, err, errs)
			}
		}
		var exit *snapshot.ExitError
		if _, errs, err := run(t.Context(), "mysql", "select nonsense;\n"); !errors.As(err, &exit) || exit.Code != 1 || !strings.Contains(errs, "ERROR 1054") {
			t.Errorf("mysql that fails: error %v, standard error %q", err, errs)
		}
		if err := target.Tools.Run(t.Context(), "no-such-program", nil, nil, nil, nil); !errors.Is(err, snapshot.ErrNoTool) {
			t.Errorf("a program that is nowhere: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := run(ctx, "mysql", "select sleep(60);\n"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("mysql out of time: %v", err)
		}
		file := filepath.Join(t.TempDir(), "it's a dump.sql")
		must(t, os.WriteFile(file, []byte("select 'shared';\n"), 0o600))
		path, remove, err := target.Tools.Share(t.Context(), file)
		must(t, err)
		cat := func() string {
			out, _ := exec.Command("docker", "exec", "--user", "mysql", target.Handle.ID, "cat", path).CombinedOutput()
			return string(out)
		}
		if got := cat(); got != "select 'shared';\n" {
			t.Errorf("the shared file: %s", got)
		}
		remove()
		if got := cat(); !strings.Contains(got, "No such file") {
			t.Errorf("the shared file after it was taken away: %s", got)
		}
		if free, err := target.Tools.Free(t.Context()); err != nil || free < 1<<20 {
			t.Errorf("free space is %d bytes, error %v", free, err)
		}
	})
}

func TestAMySQLThatDiesSaysItsLastWords(t *testing.T) {
	eachMySQL(t, func(t *testing.T, p *container.Provisioner, spec snapshot.Spec) {
		broken := spec
		broken.Run += "-broken"
		broken.Settings = map[string]string{"no_such_setting": "1"}
		_, err := p.Provision(t.Context(), broken, p.Offer(t.Context(), broken))
		if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
			t.Errorf("error %v", err)
		}
		if l := leftovers(t)(broken.Run); len(l) > 0 {
			t.Errorf("left behind: %q", l)
		}

		target := serve(t, p, spec)
		must(t, target.Instances.Stop(t.Context(), "base"))
		must(t, target.Instances.Copy(t.Context(), "base", "candidate"))
		begun := time.Now()
		_, _, err = target.Instances.Start(t.Context(), "candidate", map[string]string{"innodb_data_file_path": "ibdata1:10G"})
		if err == nil || !strings.Contains(err.Error(), "start instance candidate: the server ended") || !strings.Contains(err.Error(), "ibdata1") {
			t.Errorf("error %v", err)
		}
		if d := time.Since(begun); d > 15*time.Second {
			t.Errorf("a server that ended at once was waited for: %v", d)
		}
		start(t, target, "candidate", nil) // it can be had without

		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		must(t, target.Instances.Copy(t.Context(), "base", "late"))
		if _, _, err := target.Instances.Start(ctx, "late", nil); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("start out of time: %v", err)
		}
	})
}

// The idle container ends when it is asked to, not ten seconds later.
func TestTheContainerEndsAtOnce(t *testing.T) {
	eachMySQL(t, func(t *testing.T, p *container.Provisioner, spec snapshot.Spec) {
		target := serve(t, p, spec)
		begun := time.Now()
		if out, err := exec.Command("docker", "stop", target.Handle.ID).CombinedOutput(); err != nil || time.Since(begun) > 5*time.Second {
			t.Errorf("docker stop took %v: %v: %s", time.Since(begun), err, out)
		}
		if _, err := p.Attach(t.Context(), target.Handle); err == nil || !strings.Contains(err.Error(), "ended") {
			t.Errorf("attached to a container that ended: %v", err)
		}
		if _, _, err := target.Instances.Start(t.Context(), "base", nil); err == nil {
			t.Error("started a server in a container that ended")
		}
	})
}

func TestMySQLPublished(t *testing.T) {
	eachMySQL(t, func(t *testing.T, _ *container.Provisioner, spec snapshot.Spec) {
		const nowhere = "192.0.2.1" // reserved for documentation
		target := serve(t, container.Routed(container.Options{}, nowhere, "127.0.0.1"), spec)
		must(t, target.Instances.Stop(t.Context(), "base"))
		must(t, target.Instances.Copy(t.Context(), "base", "candidate"))
		candidate := start(t, target, "candidate", nil)
		if candidate.host != "127.0.0.1" || candidate.port == target.Port {
			t.Errorf("the candidate is at %+v", candidate)
		}
		if got := candidate.ask(t, "select @@datadir"); !strings.Contains(got, "candidate") {
			t.Errorf("another server answers, on %s", got)
		}
		ports, err := exec.Command("docker", "port", target.Handle.ID).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(ports)), "\n") {
			if !strings.Contains(line, "-> 127.0.0.1:") {
				t.Errorf("a port is published beyond this machine: %s", line)
			}
		}
	})
}

func TestMySQLOffers(t *testing.T) {
	eachMySQL(t, func(t *testing.T, p *container.Provisioner, spec snapshot.Spec) {
		name := map[string]string{"mysql": "MySQL", "mariadb": "MariaDB"}[spec.Engine]
		if o := p.Offer(t.Context(), spec); !o.OK || !o.Exact || !strings.HasPrefix(o.Version, spec.Version+".") {
			t.Errorf("offer of what the image holds: %+v", o)
		}
		wanted := spec
		wanted.Version = snapshot.Major(spec.Version)
		if o := p.Offer(t.Context(), wanted); !o.OK || !o.Exact {
			t.Errorf("offer of the major %s: %+v", wanted.Version, o)
		}
		wanted.Version = "8.0"
		if o := p.Offer(t.Context(), wanted); !o.OK || o.Exact || !strings.Contains(o.Detail, "(holds "+name+" "+spec.Version) || !strings.Contains(o.Detail, "8.0 was wanted") {
			t.Errorf("offer of an image of another version: %+v", o)
		}
		others := append([]snapshot.Spec{{Image: images + "15"}}, mysqls...)
		for _, other := range others {
			if other.Engine == spec.Engine {
				continue
			}
			wrong := spec
			wrong.Image = other.Image
			if o := p.Offer(t.Context(), wrong); o.OK || !strings.Contains(o.Detail, "not "+name) {
				t.Errorf("offer of the other product: %+v", o)
			}
			// Where the image's environment tells nothing, its server does.
			wrong.Image = derive(t, other.Image, "ENV MYSQL_VERSION= MARIADB_VERSION=")
			if _, err := p.Provision(t.Context(), wrong, p.Offer(t.Context(), wrong)); err == nil || !strings.Contains(err.Error(), "not "+name) {
				t.Errorf("start of the other product: %v", err)
			}
		}
	})
	if o := container.New(container.Options{}).Offer(t.Context(), snapshot.Spec{Engine: "oracle", Version: "23"}); o.OK || !strings.Contains(o.Detail, "oracle") {
		t.Errorf("offer of an engine nobody knows: %+v", o)
	}
}

func TestDefaultImages(t *testing.T) {
	for _, tt := range []struct{ engine, version, want string }{
		{"", "", "postgres:18"}, {"postgres", "16.4", "postgres:16"},
		{"mysql", "", "mysql:9"}, {"mysql", "9", "mysql:9"}, {"mysql", "8.0.36", "mysql:8.0"}, {"mysql", "8.4", "mysql:8.4"},
		{"mariadb", "", "mariadb:11.8"}, {"mariadb", "10.11.8", "mariadb:10.11"}, {"mariadb", "11", "mariadb:11"},
	} {
		if got := container.DefaultImage(tt.engine, tt.version); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.engine, tt.version, got, tt.want)
		}
	}
}

// derive builds an image upon another and returns its name.
func derive(t *testing.T, from string, lines ...string) string {
	t.Helper()
	tag := "migration-gate-test/derived:" + strings.ToLower(strings.NewReplacer("/", "-", "#", "-").Replace(t.Name()))
	cmd := exec.Command("docker", "build", "--quiet", "--tag", tag, "-")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("FROM %s\n%s\n", from, strings.Join(lines, "\n")))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", tag, err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "--force", tag).Run() })
	return tag
}

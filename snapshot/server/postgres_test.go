package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/server"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// refused wants an offer that says why not.
func refused(t *testing.T, url string, opt server.Options, want ...string) {
	t.Helper()
	opt.URL = url
	o := server.New(opt).Offer(t.Context(), snapshot.Spec{Engine: snapshot.Postgres})
	if o.OK {
		t.Errorf("admitted: %+v", o)
	}
	for _, w := range want {
		if !strings.Contains(o.Detail, w) {
			t.Errorf("the offer does not say %q: %s", w, o.Detail)
		}
	}
	if all := fmt.Sprintf("%+v", o); strings.Contains(all, "secret") {
		t.Errorf("the offer holds the password: %s", all)
	}
}

func admitted(t *testing.T, url string, opt server.Options) {
	t.Helper()
	opt.URL = url
	// A session that has just said goodbye takes a moment to go.
	var o snapshot.Offer
	for range 20 {
		if o = server.New(opt).Offer(t.Context(), snapshot.Spec{Engine: snapshot.Postgres}); o.OK {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("refused: %s", o.Detail)
}

// TestSignsOfProduction: each is seen on a real server, by an account that may
// see the least.
func TestSignsOfProduction(t *testing.T) {
	r := run(t, "15", nil)
	url := r.url("ci_db")
	laptop, ci := server.Options{}, server.Options{CI: true}
	admitted(t, url, laptop)
	admitted(t, url, ci)

	t.Run("replicas", func(t *testing.T) {
		standby := replica(t, r)
		refused(t, url, ci, "looks like production", "1 attached replica (the_replica")
		refused(t, strings.Replace(url, strconv.Itoa(r.target.Port), strconv.Itoa(standby), 1), ci, "standby")
		admitted(t, url, server.Options{CI: true, Allow: []string{"127.0.0.1"}})
	})
	t.Run("slots", func(t *testing.T) {
		r.sql(t, "postgres", "SELECT pg_create_physical_replication_slot('mirror')")
		refused(t, url, ci, "1 replication slot (mirror)")
		r.sql(t, "postgres", "SELECT pg_drop_replication_slot('mirror')")
	})
	t.Run("a provider", func(t *testing.T) {
		r.sql(t, "postgres", "CREATE ROLE rds_superuser")
		refused(t, url, ci, "managed server", "rds_superuser")
		r.sql(t, "postgres", "DROP ROLE rds_superuser")
	})
	t.Run("traffic", func(t *testing.T) {
		r.sql(t, "postgres", "CREATE DATABASE shop")
		r.sql(t, "shop", "CREATE TABLE t AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
		admitted(t, url, laptop) // it is there, and nobody uses it
		psql := r.connect(t, "postgres")
		admitted(t, url, laptop) // somebody looks around
		_ = psql.Close(context.Background())
		c := r.connect(t, "shop")
		refused(t, url, laptop, "traffic in other databases (shop: sessions 1)")
		admitted(t, url, ci) // this job's own
		_ = c.Close(context.Background())
		// Sessions that come and go between two looks.
		stop := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-stop:
					return
				default:
				}
				r.sql(t, "shop", "SELECT 1")
				time.Sleep(20 * time.Millisecond)
			}
		}()
		refused(t, url, laptop, "traffic in other databases (shop: ")
		close(stop)
		<-ended
		r.sql(t, "postgres", "DROP DATABASE shop")
	})
	t.Run("archive", func(t *testing.T) {
		other := run(t, "15", map[string]string{"archive_mode": "on", "archive_command": "true"})
		refused(t, other.url("ci_none"), ci, "archives its log")
	})
	t.Run("nothing there", func(t *testing.T) {
		refused(t, "postgres://ci:secret@127.0.0.1:1/x", laptop, "connect to 127.0.0.1:1", "refused")
		refused(t, "postgres://ci:secret@auto:1/x", laptop, "no server answers at any of postgres:1, db:1, database:1, localhost:1")
		refused(t, strings.Replace(url, "127.0.0.1", "auto", 1)+"?sslmode=nonsense", laptop, "sslmode")
	})
	t.Run("found by auto", func(t *testing.T) {
		admitted(t, strings.Replace(url, "127.0.0.1", "auto", 1), laptop)
		refused(t, strings.Replace(url, "127.0.0.1", "auto", 1), server.Options{Deny: []string{"localhost"}}, "--deny-server localhost")
		refused(t, strings.Replace(url, "127.0.0.1", "localhost", 1), server.Options{Deny: []string{"127.*"}}, "--deny-server 127.*")
	})
	t.Run("nobody of that name", func(t *testing.T) {
		refused(t, strings.Replace(url, "ci_db", "nobody", 1), laptop, "password authentication failed")
		refused(t, strings.Replace(url, "/postgres", "/nowhere", 1), laptop, `database "nowhere" does not exist`)
	})
	t.Run("another engine", func(t *testing.T) {
		o := server.New(server.Options{URL: url}).Offer(t.Context(), snapshot.Spec{Engine: snapshot.MySQL})
		if o.OK || !strings.Contains(o.Detail, "of postgres, and one of mysql is wanted") {
			t.Errorf("%+v", o)
		}
	})
	t.Run("another major", func(t *testing.T) {
		o := server.New(server.Options{URL: url}).Offer(t.Context(), snapshot.Spec{Version: "17"})
		if !o.OK || o.Exact || !strings.Contains(o.Detail, "17 was wanted") {
			t.Errorf("%+v", o)
		}
	})
}

// as is the server's own system account: nobody may run one as root.
func as(t *testing.T) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		snapshottest.Missing(t, "a server of another account, for there is no account postgres", "testdata/install.sh postgresql")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// replica makes a standby of a server and returns its port.
func replica(t *testing.T, r *running) int {
	t.Helper()
	dir, err := os.MkdirTemp("", "mg-replica-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	attr := as(t)
	if attr != nil {
		if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	bin := "/usr/lib/postgresql/15/bin/"
	call := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(bin+name, args...)
		cmd.Env = []string{"PGHOST=127.0.0.1", "PGPORT=" + strconv.Itoa(r.target.Port), "PGUSER=" + r.target.User, "PGPASSWORD=" + r.target.Password,
			"PGAPPNAME=the_replica", "PATH=" + os.Getenv("PATH")}
		cmd.SysProcAttr, cmd.Dir = attr, dir
		if out, err := cmd.CombinedOutput(); err != nil {
			snapshottest.Missing(t, fmt.Sprintf("a replica, for %s did not run: %v: %s", name, err, out), "testdata/install.sh postgresql, for its programs of PostgreSQL 15")
		}
	}
	data := filepath.Join(dir, "data")
	call("pg_basebackup", "--pgdata="+data, "--write-recovery-conf", "--checkpoint=fast")
	t.Cleanup(func() {
		cmd := exec.Command(bin+"pg_ctl", "stop", "--pgdata="+data, "--mode=immediate")
		cmd.SysProcAttr, cmd.Dir = attr, dir
		_ = cmd.Run()
	})
	call("pg_ctl", "start", "--wait", "--silent", "--pgdata="+data, "--log="+filepath.Join(dir, "log"),
		"--options="+fmt.Sprintf("-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c cluster_name=the_replica -c restore_command=", port))
	for range 200 {
		c := r.connect(t, "postgres")
		var n int
		err := c.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").Scan(&n)
		_ = c.Close(context.Background())
		if err == nil && n > 0 {
			return port
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the standby does not stream")
	return 0
}

// hba puts lines before the rules of who may come in.
func (r *running) hba(t *testing.T, lines string) {
	t.Helper()
	var file string
	c := r.connect(t, "postgres")
	if err := c.QueryRow(t.Context(), "SHOW hba_file").Scan(&file); err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append([]byte(lines), was...), 0o600); err != nil {
		t.Fatal(err)
	}
	r.sql(t, "postgres", "SELECT pg_reload_conf()")
	time.Sleep(200 * time.Millisecond) // the signal is on its way
}

// TestOnlyTheAccountComesIn: where pg_hba.conf lets in nobody but the account,
// it puts the migrating role on.
func TestOnlyTheAccountComesIn(t *testing.T) {
	src := dumped(t, "custom")
	r := run(t, "", nil)
	r.sql(t, "postgres", "CREATE ROLE support")
	r.hba(t, "host all ci_roles,ci_super,"+r.target.User+" 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 reject\n")
	before := r.state(t)
	wholeWay(t, provisioner(r.url("ci_roles")), src, nil)
	p := provisioner(r.url("ci_super"))
	spec := snapshot.Spec{Run: "special", Expires: time.Now().Add(time.Hour)}
	target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Connect(t.Context(), target); err == nil || !strings.Contains(err.Error(), "superuser") {
		t.Errorf("migrations would run as a superuser: %v", err)
	}
	if err := target.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if d := changes(before, r.state(t)); len(d) > 0 {
		t.Errorf("the server is not as it was: %q", d)
	}
}

// TestEncrypted: what the URL says of TLS holds for every connection.
func TestEncrypted(t *testing.T) {
	src := dumped(t, "custom")
	r := run(t, "", nil)
	r.sql(t, "postgres", "CREATE ROLE support")
	ca := r.encrypt(t)
	r.hba(t, "hostssl all all 127.0.0.1/32 scram-sha-256\nhostnossl all ci_super,ci_roles,ci_db 127.0.0.1/32 reject\n")
	url := r.url("ci_roles")
	refused(t, url+"?sslmode=disable", server.Options{}, "pg_hba.conf rejects", "no encryption")
	refused(t, url+"?sslmode=verify-full", server.Options{}, "certificate")
	refused(t, url+"?sslmode=verify-ca&sslrootcert=/nowhere", server.Options{}, "/nowhere")
	for _, params := range []string{"sslmode=verify-full&sslrootcert=" + ca, "sslmode=require", ""} {
		t.Run(params, func(t *testing.T) { wholeWay(t, provisioner(url+"?"+params), src, nil) })
	}
}

// encrypt turns TLS on and returns the file of the certificate.
func (r *running) encrypt(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var data string
	if err := r.connect(t, "postgres").QueryRow(t.Context(), "SHOW data_directory").Scan(&data); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	for name, block := range map[string]*pem.Block{"server.crt": {Type: "CERTIFICATE", Bytes: der}, "server.key": {Type: "PRIVATE KEY", Bytes: secret}} {
		file := filepath.Join(data, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(file, int(st.Uid), int(st.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	r.sql(t, "postgres", "ALTER SYSTEM SET ssl = on")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestSocket(t *testing.T) {
	r := run(t, "", nil)
	r.sql(t, "postgres", "CREATE ROLE support")
	var dir string
	if err := r.connect(t, "postgres").QueryRow(t.Context(), "SHOW unix_socket_directories").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	url := strings.Replace(r.url("ci_roles"), "127.0.0.1", "", 1) + "?host=" + dir
	wholeWay(t, provisioner(url), dumped(t, "custom"), nil)
}

// TestHostileDump: a dump may say anything, and a superuser's account restores
// it; nothing outside of our databases comes of it.
func TestHostileDump(t *testing.T) {
	r := run(t, "", nil)
	r.sql(t, "postgres", "CREATE ROLE support", "CREATE ROLE chief SUPERUSER", "CREATE DATABASE neighbour OWNER support")
	before := r.state(t)
	file := filepath.Join(t.TempDir(), "hostile.sql")
	err := os.WriteFile(file, []byte(`-- PostgreSQL database dump
CREATE ROLE intruder SUPERUSER;
ALTER ROLE support SUPERUSER;
GRANT chief TO support;
ALTER SYSTEM SET work_mem = '1GB';
DROP DATABASE neighbour;
ALTER DATABASE neighbour SET work_mem = '1GB';
ALTER ROLE support SET work_mem = '1GB';
COMMENT ON DATABASE neighbour IS 'x';
COMMENT ON ROLE support IS 'x';
CREATE TABLESPACE t LOCATION '/tmp';
CREATE TABLE public.t (id int);
GRANT ALL ON public.t TO support, chief;
ALTER TABLE public.t OWNER TO chief;
SET SESSION AUTHORIZATION support;
SET ROLE chief;
RESET ROLE;
CREATE FUNCTION public.f() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN CREATE ROLE from_within; END';
CREATE TABLE public.u AS SELECT current_user AS who;
DO $$ BEGIN EXECUTE 'COPY public.u TO PROGRAM ''touch `+file+`.touched'''; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$;
DO $$ BEGIN SET LOCAL ROLE chief; CREATE ROLE intruder2; EXCEPTION WHEN OTHERS THEN NULL; END $$;
DO $$ BEGIN PERFORM public.f(); EXCEPTION WHEN OTHERS THEN NULL; END $$;
-- PostgreSQL database dump complete
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	src, err := snapshot.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	p := provisioner(r.url("ci_super"))
	spec := snapshot.Spec{Run: "hostile", Expires: time.Now().Add(time.Hour)}
	target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close(context.Background())
	s, err := postgres.Connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	base, m, err := s.Restore(t.Context(), src, "baseline", postgres.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("skipped:\n%s", strings.Join(m.Skipped, "\n"))
	if err := base.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range changes(before, r.state(t)) {
		if !strings.Contains(d, target.Prefix) && !strings.HasPrefix(d, "+ setting (") { // of our database, of our role
			t.Errorf("changed: %s", d)
		}
		if strings.Contains(d, ","+target.Prefix+"owner,t") {
			t.Errorf("the migrating role is a superuser: %s", d)
		}
	}
	if _, err := os.Stat(file + ".touched"); err == nil {
		t.Error("a program was run")
	}
	if err := target.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if d := changes(before, r.state(t)); len(d) > 0 {
		t.Errorf("the server is not as it was: %q", d)
	}
}

// TestNamedRoles: a role that the user has named is made where the server lacks
// it, and dropped by the last run that uses it.
func TestNamedRoles(t *testing.T) {
	ctx := t.Context()
	src := dumped(t, "custom")
	r := run(t, "", nil)
	before := r.state(t)
	use := func(name string) (*snapshot.Target, *postgres.Database) {
		t.Helper()
		p := provisioner(r.url("ci_roles"))
		spec := snapshot.Spec{Run: name, Expires: time.Now().Add(time.Hour)}
		target, err := p.Provision(ctx, spec, p.Offer(ctx, spec))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = target.Close(context.Background()) })
		s, err := postgres.Connect(ctx, target)
		if err != nil {
			t.Fatal(err)
		}
		base, m, err := s.Restore(ctx, src, "baseline", postgres.RestoreOptions{Roles: []string{"reporting", "Other One"}})
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(m.Skipped, func(s string) bool { return strings.Contains(s, "reporting") }) {
			t.Errorf("skipped %q", m.Skipped)
		}
		return target, base.Unsealed()
	}
	first, _ := use("first")
	second, db := use("second")
	c := r.connect(t, db.Name())
	var may bool
	if err := c.QueryRow(ctx, "SELECT has_table_privilege('reporting', 'app.orders', 'SELECT')").Scan(&may); err != nil || !may {
		t.Errorf("reporting may read: %t, %v", may, err)
	}
	_ = c.Close(ctx)
	if err := first.Close(ctx); err != nil {
		t.Error(err)
	}
	if d := strings.Join(changes(before, r.state(t)), "\n"); !strings.Contains(d, ",reporting,") {
		t.Errorf("a role that another run uses is gone:\n%s", d)
	}
	if err := second.Close(ctx); err != nil {
		t.Error(err)
	}
	if d := changes(before, r.state(t)); len(d) > 0 {
		t.Errorf("the server is not as it was: %q", d)
	}
}

// TestReapLeavesOthersAlone: what only looks like ours stays, and so does what
// is being made.
func TestReapLeavesOthersAlone(t *testing.T) {
	r := run(t, "", nil)
	r.sql(t, "postgres",
		"CREATE DATABASE mg_aaaaaaaaaa_gate", // left between two statements
		"CREATE DATABASE mg_dddddddddd_gate2", "CREATE DATABASE mg_bbbbbbbbbb_gate", "CREATE DATABASE mg_bbbbbbbbbb_shop", "CREATE DATABASE mg_shop", "CREATE DATABASE mg_cccccccccc_baseline",
		"COMMENT ON DATABASE mg_bbbbbbbbbb_gate IS 'ours since 2019'", "CREATE ROLE mg_bbbbbbbbbb_owner")
	p := provisioner(r.url("ci_super"))
	making := r.connect(t, "postgres")
	if _, err := making.Exec(t.Context(), "SELECT pg_advisory_lock_shared(x'6d677465'::int)"); err != nil {
		t.Fatal(err)
	}
	before := r.state(t)
	reap := func() {
		t.Helper()
		if reaped, err := p.Reap(t.Context()); err != nil {
			t.Errorf("%q, %v", reaped, err)
		}
	}
	reap()
	if d := changes(before, r.state(t)); len(d) > 0 {
		t.Errorf("reaped while somebody is at it: %q", d)
	}
	_ = making.Close(context.Background())
	reap()
	var names []string
	for _, d := range changes(before, r.state(t)) {
		names = append(names, strings.Fields(d)[2])
	}
	if !slices.Equal(names, []string{"mg_aaaaaaaaaa_gate"}) {
		t.Errorf("reaped %q", names)
	}
	// Nor does a handle lead anywhere else.
	for _, prefix := range []string{"", "m", "mg_", "shop", "mg_bbbbbbbbbb", "mg_bbbbbbbbb__", "mg_bbbbbbbbbb_x"} {
		if err := p.Destroy(t.Context(), snapshot.Handle{Kind: "server", Engine: snapshot.Postgres, Host: "127.0.0.1", Port: r.target.Port, User: "ci_super", Password: "secret @/", Prefix: prefix}); err == nil {
			t.Errorf("destroyed what begins with %q", prefix)
		}
	}
}

// TestSecondRunOfAName: a run never takes, nor cleans up, what is another's.
func TestSecondRunOfAName(t *testing.T) {
	r := run(t, "", nil)
	spec := snapshot.Spec{Run: "twice", Expires: time.Now().Add(time.Hour)}
	p := provisioner(r.url("ci_db"))
	target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close(context.Background())
	if _, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec)); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("%v", err)
	}
	if _, err := p.Attach(t.Context(), target.Handle); err != nil {
		t.Errorf("the first run's databases: %v", err)
	}
	var out bytes.Buffer
	err = target.Tools.Run(t.Context(), "psql", []string{"-XAtc", "SELECT current_database()"}, nil, &out, nil)
	if errors.Is(err, snapshot.ErrNoTool) {
		snapshottest.Missing(t, "client programs on the gate's own databases: "+err.Error(), "testdata/install.sh postgresql")
	}
	if got := strings.TrimSpace(out.String()); err != nil || got != target.Prefix+snapshot.Home {
		t.Errorf("psql is on %q, %v", got, err)
	}
}

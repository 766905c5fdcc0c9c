package local_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// dialPostgres connects as the administrator by a password.
func dialPostgres(t *testing.T, target *snapshot.Target, password string) (*pgx.Conn, error) {
	t.Helper()
	cfg, err := pgx.ParseConfig("sslmode=disable dbname=postgres")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Host, cfg.Port, cfg.User, cfg.Password = target.Host, uint16(target.Port), target.User, password
	return pgx.ConnectConfig(t.Context(), cfg)
}

func TestPostgresFromATemplate(t *testing.T) {
	root := scratch(t)
	dir := filepath.Join(root, "initialised")
	p := local.New(local.Options{Scratch: root, Path: os.Getenv("PATH"), Templates: dir})
	offer := p.Offer(t.Context(), snapshot.Spec{})
	if !offer.OK {
		snapshottest.Missing(t, "data directories kept between runs: "+offer.Detail, "testdata/install.sh postgresql")
	}
	spec := snapshot.Spec{Run: "templates", Version: offer.Version[:2], Settings: map[string]string{"fsync": "off"}}
	kept := func() string {
		names, _ := filepath.Glob(dir + "/*")
		return strings.Join(names, " ")
	}
	// provision starts a server and says whether initdb ran for it.
	provision := func() (target *snapshot.Target, initialised bool) {
		t.Helper()
		target, err := p.Provision(t.Context(), spec, offer)
		if err != nil {
			t.Error(err)
			return nil, false
		}
		t.Cleanup(func() { _ = target.Close(t.Context()) })
		c, err := dialPostgres(t, target, target.Password)
		if err != nil {
			t.Error(err)
			return nil, false
		}
		defer c.Close(t.Context())
		var settings string
		if err := c.QueryRow(t.Context(), "SELECT current_setting('server_encoding') || current_setting('fsync') FROM pg_authid WHERE rolname = current_user AND rolpassword LIKE 'SCRAM-SHA-256%'").Scan(&settings); err != nil || settings != "UTF8off" {
			t.Errorf("settings %q, %v", settings, err)
		}
		log, err := os.ReadFile(filepath.Join(target.Handle.ID, "server.log"))
		if err != nil {
			t.Error(err)
		}
		noPasswordAbout(t, target.Handle.ID, target.Password)
		return target, strings.Contains(string(log), "The files belonging to this database system will be owned by")
	}

	first, initialised := provision()
	template := kept()
	if !initialised || template == "" || strings.Contains(template, " ") {
		t.Fatalf("the first start ran initdb: %t, and kept %q", initialised, template)
	}
	second, initialised := provision()
	if initialised || kept() != template {
		t.Errorf("the second start ran initdb: %t, and kept %q", initialised, kept())
	}
	if c, err := dialPostgres(t, second, first.Password); err == nil {
		c.Close(t.Context())
		t.Error("one server's password is another's too")
	}
	if hba, err := os.ReadFile(filepath.Join(template, "pg_hba.conf")); err != nil || strings.Contains(string(hba), "scram-sha-256\n") {
		t.Errorf("whoever starts the template is let in: %v", err)
	}

	for damaged, notice := range map[string]string{
		"global/pg_control": "by single-user mode",
		"pg_hba.conf":       "by the server alone",
	} {
		t.Run("damaged, noticed "+notice, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(template, damaged), []byte("\"damaged\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, initialised := provision(); !initialised {
				t.Error("started on it")
			}
			provision() // keeps one if the start before did not
			if _, initialised := provision(); initialised || kept() != template {
				t.Errorf("no template was made in its place: %q", kept())
			}
		})
	}

	t.Run("made by several at once", func(t *testing.T) {
		if err := os.RemoveAll(template); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { provision() })
		}
		wg.Wait()
		if left, _ := filepath.Glob(dir + "/.*"); kept() != template || len(left) > 0 {
			t.Errorf("kept %q, left %q", kept(), left)
		}
	})
	t.Run("never where others can write", func(t *testing.T) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if _, initialised := provision(); !initialised {
			t.Error("took what others can write to")
		}
	})
}

// TestRestart: the server comes back on its port with what was in it, with other
// settings and then with its own, and a later process finds it.
func TestRestart(t *testing.T) {
	ctx := t.Context()
	root := scratch(t)
	p := local.New(local.Options{Scratch: root, Path: os.Getenv("PATH")})
	offer := p.Offer(ctx, snapshot.Spec{})
	if !offer.OK {
		snapshottest.Missing(t, "restarts of a server: "+offer.Detail, "testdata/install.sh postgresql")
	}
	spec := snapshot.Spec{Run: "restarts", Keep: true, Settings: map[string]string{"fsync": "off", "work_mem": "5MB", "shared_preload_libraries": "is_not_installed"}}
	target, err := p.Provision(ctx, spec, offer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close(context.Background()) })
	ask := func(sql string) (said string) {
		t.Helper()
		c, err := dialPostgres(t, target, target.Password)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(ctx)
		if err := c.QueryRow(ctx, sql).Scan(&said); err != nil {
			t.Fatal(err)
		}
		return said
	}
	const settings = "SELECT concat_ws(' ', current_setting('wal_level'), current_setting('max_wal_senders'), current_setting('work_mem'), current_setting('fsync'))"
	if got := ask(settings); got != "replica 10 5MB off" {
		t.Errorf("started with %s", got)
	}
	ask("SELECT lo_from_bytea(4711, 'kept')::text")

	idle, err := dialPostgres(t, target, target.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close(ctx)
	if err := target.Restart(ctx, map[string]string{"wal_level": "minimal", "max_wal_senders": "0", "work_mem": "6MB"}); err != nil {
		t.Fatal(err)
	}
	if got := ask(settings); got != "minimal 0 6MB off" {
		t.Errorf("restarted with %s", got)
	}
	if idle.Ping(ctx) == nil {
		t.Error("a session has outlived its server")
	}
	if _, err := p.Attach(ctx, target.Handle); err != nil {
		t.Errorf("a restarted server is not found: %v", err)
	}

	// Somebody takes the port while nobody listens on it.
	err = target.Restart(ctx, map[string]string{"wal_level": "never heard of"})
	if err == nil || !strings.Contains(err.Error(), "never heard of") {
		t.Errorf("restarted with a setting that there is not: %v", err)
	}
	squatter, err := net.Listen("tcp4", net.JoinHostPort(target.Host, strconv.Itoa(target.Port)))
	if err != nil {
		t.Fatal(err)
	}
	// Longer than a server takes to find out, as often as it is tried.
	time.AfterFunc(1500*time.Millisecond, func() { squatter.Close() })
	again, err := p.Attach(ctx, target.Handle)
	if err == nil {
		t.Errorf("attached to a server that does not run: %v", again)
	}
	if err := target.Restart(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if got := ask(settings); got != "replica 10 5MB off" {
		t.Errorf("came back with %s", got)
	}
	if got := ask("SELECT convert_from(lo_get(4711), 'UTF8')"); got != "kept" {
		t.Errorf("came back with %q in it", got)
	}

	attached, err := p.Attach(ctx, target.Handle)
	if err != nil {
		t.Fatal(err)
	}
	if err := attached.Restart(ctx, nil); err != nil {
		t.Errorf("a later process cannot restart it: %v", err)
	}
	conf, err := os.ReadFile(filepath.Join(target.Handle.ID, "data/postgresql.conf"))
	if err != nil || strings.Count(string(conf), "\nwork_mem") != 1 {
		t.Errorf("the settings pile up in postgresql.conf (%v):\n%s", err, conf[max(0, len(conf)-2000):])
	}
	if err := target.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := attached.Restart(ctx, nil); err == nil {
		t.Error("restarted what was removed")
	}
	if left, _ := os.ReadDir(root + "/migration-gate-" + strconv.Itoa(os.Geteuid())); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

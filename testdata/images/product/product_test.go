// Package product runs the product image for real, where it will be run: as an
// action of GitHub, as a GitLab job's image, by hand; with a container engine
// and without. What the gate finds is tested elsewhere: here each run ends with
// the demonstration's verdict, and with nothing left behind.
package product

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func at(dir, change string) []string {
	return []string{"--volume", dir + ":/lab", "--workdir", "/lab/" + change}
}

func check(args ...string) []string {
	return append([]string{"check", "--dir", "migrations", "--base", "origin/main"}, args...)
}

func with(lists ...[]string) (all []string) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func TestWhatTheImageHolds(t *testing.T) {
	config := must(t, "image", "inspect", "--format", "{{json .Config}}", image)
	var c struct {
		User        string
		Entrypoint  []string
		Healthcheck any
		StopSignal  string
		Labels      map[string]string
		Volumes     map[string]any
	}
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		t.Fatal(err)
	}
	if c.User != "" || len(c.Entrypoint) != 1 || c.Healthcheck != nil || c.StopSignal != "" || len(c.Volumes) != 0 || c.Labels["org.opencontainers.image.source"] == "" {
		t.Errorf("configured as %s", config)
	}
	// What one finds inside; that packages are whole, for who builds on it.
	out := must(t, "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", `set -e
for p in migration-gate restore-snapshot migrate assert-lock-budget assert-safe-down destroy git psql pg_dump pg_restore mariadb mariadb-dump; do command -v $p; done
locale -a; id -u migration-gate; dpkg --audit; apt-get check 2>&1; ls /usr/lib/postgresql/*/bin/postgres`)
	for _, want := range []string{"/usr/local/bin/destroy", "en_US.utf8", "C.utf8", "65532", "/usr/lib/postgresql/17/bin/postgres"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is missing in:\n%s", want, out)
		}
	}
	box{options: []string{"--network", "none"}, args: []string{"version"}}.run(t).want(t, 0, "migration-gate", "grammar")
	box{options: []string{"--network", "none"}}.run(t).want(t, 2, "check")
}

func TestServersInTheImage(t *testing.T) {
	for engine, tt := range map[string]struct {
		image, snapshot, measured, rule string
	}{
		"postgres": {image, "orders.dump", "PostgreSQL 17", "unsafe-down"},
		"mysql":    {mysqlImage, "orders.sql.gz", "MySQL 9", "unsafe-down"},
		"mariadb":  {image, "", "MariaDB 1", "unsafe-down"},
	} {
		t.Run(engine, func(t *testing.T) {
			dir := lab(t, engine)
			options := []string{"--engine", engine}
			if tt.snapshot != "" {
				options = []string{"--snapshot", "../" + tt.snapshot}
			}
			for change, code := range map[string]int{"dangerous": 1, "safe": 0} {
				b := box{image: tt.image, options: at(dir, change), args: check(options...)}
				g := b.run(t)
				g.want(t, code, tt.measured, "local (server binaries")
				if code == 1 {
					g.want(t, code, tt.rule)
				}
				figure("server in the image, "+engine+", "+change, g)
				untouched(t, filepath.Join(dir, change))
			}
		})
	}
}

// A user without a name and without rights, a repository that cannot be
// written to, and no network.
func TestWithoutPrivileges(t *testing.T) {
	dir := lab(t, "postgres")
	tight := []string{"--network", "none", "--user", "1000:1000", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--read-only", "--tmpfs", "/tmp:mode=1777", "--volume", dir + ":/lab:ro", "--workdir", "/lab/safe"}
	g := box{options: tight, args: check("--snapshot", "../orders.dump")}.run(t)
	g.want(t, 0, "PostgreSQL 17", "local (server binaries")
	figure("server in the image, no privileges, no network", g)

	// Nothing can be fetched: the server that is there has to do, and says so.
	box{options: tight, args: check("--snapshot", "../orders.dump", "--server-version", "18")}.run(t).
		want(t, 2, "wanted PostgreSQL 18 or newer", "fetch PostgreSQL 18")
	box{options: tight, args: check("--snapshot", "../orders.dump", "--server-version", "16")}.run(t).
		want(t, 0, "PostgreSQL 16 was wanted and is not installed")

	my := lab(t, "mysql")
	tight[len(tight)-3] = my + ":/lab:ro"
	box{image: mysqlImage, options: tight, args: check("--snapshot", "../orders.sql.gz")}.run(t).want(t, 0, "MySQL 9")
}

func TestSiblingContainers(t *testing.T) {
	dir := lab(t, "postgres")
	network, other := random(), random()
	must(t, "network", "create", network)
	t.Cleanup(func() { _, _ = docker("network", "rm", network) })
	box{options: []string{"--name", other, "--entrypoint", "sleep"}, args: []string{"600"}}.start(t)
	for name, options := range map[string][]string{
		"the default bridge":     nil,
		"a network of its own":   {"--network", network},
		"the host's network":     {"--network", "host"},
		"a container's (as act)": {"--network", "container:" + other},
	} {
		t.Run(name, func(t *testing.T) {
			b := box{options: with(at(dir, "dangerous"), []string{"--volume", socket + ":" + socket}, options),
				args: check("--snapshot", "../orders.dump", "--image", sibling)}
			g := b.run(t)
			g.want(t, 1, "PostgreSQL 17", "container (image "+sibling, "unsafe-down")
			figure("sibling container, "+name, g)
		})
	}
	t.Run("MySQL", func(t *testing.T) {
		b := box{image: mysqlImage, options: with(at(lab(t, "mysql"), "safe"), []string{"--volume", socket + ":" + socket}),
			args: check("--snapshot", "../orders.sql.gz", "--image", "migration-gate-test/mysql:9.7")}
		g := b.run(t)
		g.want(t, 0, "MySQL 9", "container (image")
		figure("sibling container, MySQL", g)
	})
}

// `docker stop` gives ten seconds. The gate is the first process here, to which
// a signal that nobody listens to does nothing.
func TestStopped(t *testing.T) {
	dir := lab(t, "postgres")
	for name, c := range map[string]struct{ options, args []string }{
		"server in the image": {args: check("--snapshot", "../orders.dump", "--target", "local")},
		"sibling container":   {[]string{"--volume", socket + ":" + socket}, check("--snapshot", "../orders.dump", "--image", sibling)},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			id := box{options: with(at(dir, "safe"), c.options), args: c.args}.start(t)
			told(t, id, "restore")
			stop := time.Now()
			must(t, "stop", id)
			if took := time.Since(stop); took > 8*time.Second {
				t.Errorf("it took %v to stop", took)
			}
			ended(t, id, began).want(t, 130, "interrupted")
			untouched(t, filepath.Join(dir, "safe"))
		})
	}
}

// What a gate leaves that is killed, the next one removes.
func TestKilled(t *testing.T) {
	dir := lab(t, "postgres")
	b := box{options: with(at(dir, "safe"), []string{"--volume", socket + ":" + socket}), args: check("--snapshot", "../orders.dump", "--image", sibling)}
	id := b.start(t)
	told(t, id, "restore")
	must(t, "kill", id)
	left := siblings(t, id)
	if len(left) == 0 {
		t.Fatal("killed in the middle, it left nothing: the test tests nothing")
	}
	b.run(t).want(t, 0, "removed what an earlier run left behind", "which started it,")
	if left := siblings(t, id); len(left) > 0 {
		t.Errorf("after the next run there is still %q", left)
	}
}

// told waits until a gate has begun a phase.
func told(t *testing.T, id, phase string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if log, _ := docker("logs", id); strings.Contains("\n"+log+"\n", "\n"+phase+"\n") {
			return
		}
	}
	log, _ := docker("logs", id)
	t.Fatalf("it never came to %s:\n%s", phase, log)
}

// GitLab overrides the entrypoint, for the runner needs a shell in the image.
func TestAsAGitLabJob(t *testing.T) {
	dir := lab(t, "postgres")
	script := `set -ex
restore-snapshot --snapshot ../orders.dump --into ci_db
migrate up --database ci_db
assert-lock-budget --database ci_db --max-exclusive-ms 5000 --max-write-block-ms 5000
assert-safe-down --dir migrations/ --base origin/main || echo "refused with $?"
destroy --database ci_db
for c in /proc/[0-9]*/comm; do read -r name <$c || continue; [ "$name" != postgres ]; done`
	b := box{options: with(at(dir, "job"), []string{"--env", "GITLAB_CI=true", "--env", "MIGRATION_GATE_BASE=origin/main", "--entrypoint", ""}), args: []string{"sh", "-c", script}}
	g := b.run(t)
	g.want(t, 0, "ci_db: postgres 17", "unsafe-down", "refused with 1", "ci_db: destroyed")
	figure("GitLab job, the five steps", g)
	untouched(t, filepath.Join(dir, "job"), ".migration-gate")
}

// GitHub runs an action's container with these mounts and variables, without a
// command, as root in a checkout of somebody else's.
func TestAsAGitHubAction(t *testing.T) {
	dir := lab(t, "postgres")
	mounts := t.TempDir()
	for _, sub := range []string{"home", "workflow", "file_commands", "runner_temp"} {
		if err := os.Mkdir(filepath.Join(mounts, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, content := range map[string]string{
		"workflow/event.json":                `{"action": "opened"}`,
		"file_commands/set_output_1":         "",
		"file_commands/step_summary_1":       "",
		"file_commands/save_state_1":         "",
		"file_commands/set_env_1":            "",
		"file_commands/add_path_1":           "",
		"workflow/unrelated_to_the_gate.txt": "",
	} {
		if err := os.WriteFile(filepath.Join(mounts, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	options := []string{"--workdir", "/github/workspace", "--volume", filepath.Join(dir, "dangerous") + ":/github/workspace",
		"--volume", filepath.Join(dir, "orders.dump") + ":/snapshot/orders.dump:ro", "--volume", socket + ":" + socket}
	for _, sub := range []string{"home", "workflow", "file_commands", "runner_temp"} {
		options = append(options, "--volume", filepath.Join(mounts, sub)+":/github/"+sub)
	}
	for name, value := range map[string]string{
		"HOME": "/github/home", "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/github/workspace",
		"GITHUB_EVENT_NAME": "workflow_dispatch", "GITHUB_EVENT_PATH": "/github/workflow/event.json",
		"GITHUB_REPOSITORY": "acme/shop", "GITHUB_REF": "refs/heads/dangerous", "GITHUB_SHA": strings.Repeat("a", 40),
		"GITHUB_API_URL": "https://api.github.invalid", "GITHUB_SERVER_URL": "https://github.invalid", "GITHUB_RUN_ID": "1", "GITHUB_JOB": "gate",
		"GITHUB_OUTPUT": "/github/file_commands/set_output_1", "GITHUB_STEP_SUMMARY": "/github/file_commands/step_summary_1",
		"GITHUB_STATE": "/github/file_commands/save_state_1", "GITHUB_ENV": "/github/file_commands/set_env_1",
		"RUNNER_TEMP": "/github/runner_temp", "RUNNER_OS": "Linux",
		"INPUT_SNAPSHOT": "/snapshot/orders.dump", "INPUT_BASE": "origin/main", "INPUT_IMAGE": sibling, "INPUT_DIR": "", "INPUT_REPORT-DIR": "migration-gate-report", "INPUT_SERVER-VERSION": "",
	} {
		options = append(options, "--env", name+"="+value)
	}
	g := box{options: options}.run(t)
	g.want(t, 1, "container (image "+sibling, "unsafe-down", "::error", "file=migrations/")
	figure("GitHub action, sibling container", g)
	output, err := os.ReadFile(filepath.Join(mounts, "file_commands/set_output_1"))
	if err != nil || !strings.Contains(string(output), "verdict") {
		t.Errorf("outputs: %q, %v", output, err)
	}
	if summary, err := os.ReadFile(filepath.Join(mounts, "file_commands/step_summary_1")); err != nil || !strings.Contains(string(summary), "unsafe-down") {
		t.Errorf("summary: %q, %v", summary, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "dangerous/migration-gate-report/report.json")); err != nil {
		t.Error(err)
	}
	untouched(t, filepath.Join(dir, "dangerous"))
}

// A service of the job is reached by its name, from the job's network.
func TestServiceContainer(t *testing.T) {
	dir := lab(t, "postgres")
	network, service := random(), random()
	must(t, "network", "create", network)
	t.Cleanup(func() { _, _ = docker("network", "rm", network) })
	id := must(t, "run", "--detach", "--name", service, "--network", network, "--network-alias", "postgres", "--env", "POSTGRES_PASSWORD=secret", sibling)
	t.Cleanup(func() { _, _ = docker("rm", "--force", "--volumes", id) })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := docker("exec", id, "pg_isready", "-q", "-h", "127.0.0.1"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the service does not come up")
		}
	}
	b := box{options: with(at(dir, "dangerous"), []string{"--network", network, "--env", "MIGRATION_GATE_DATABASE_URL=postgres://postgres:secret@postgres:5432/postgres"}),
		args: check("--snapshot", "../orders.dump", "--target", "server")}
	g := b.run(t)
	g.want(t, 1, "PostgreSQL 17", "unsafe-down")
	if strings.Contains(g.out, "secret") {
		t.Errorf("it tells the password:\n%s", g.out)
	}
	figure("service container", g)
	left := must(t, "exec", "--user", "postgres", id, "psql", "-Atc", "select datname from pg_database where datname not in ('postgres', 'template0', 'template1')")
	if left != "" {
		t.Errorf("databases left on the service: %s", left)
	}
}

package container_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/container"
)

// What of a shell's surroundings both official images have: coreutils, grep,
// sed, findutils. They have no ps, no setpriv, no awk that we could count on.
const little = `sh bash env cat chmod chown cp date df du dirname basename expr find grep head hostname id ls mkdir mktemp mv rm rmdir sed sleep sort stat sync tail test touch tr uname wc`

// The official images cannot be had everywhere that these tests run, so ours
// are made to look like them in whatever might matter: the shell is bash, most
// programs are missing, versions are spelled as there, MariaDB has dropped
// mysql's names, and the entrypoint must not be called.
func TestImagesLikeTheOfficialOnes(t *testing.T) {
	for engine, lines := range map[string][]string{
		// oraclelinux:9-slim, mysql-community-server-minimal.
		snapshot.MySQL: {
			`ENV MYSQL_MAJOR=9.7 MYSQL_VERSION=9.7.4-1.el9 GOSU_VERSION=1.19`,
			`RUN mkdir /few && for p in ` + little + ` tee true mysqld mysql mysqldump mysqladmin my_print_defaults; do f=$(command -v $p) && ln -s "$(readlink -f $f)" /few/$p; done; ln -sf /bin/bash /few/sh && chmod 1777 /var/lib/mysql`,
		},
		// ubuntu, mariadb-server of mariadb.org.
		snapshot.MariaDB: {
			`ENV MARIADB_VERSION=1:10.11.18+maria~ubu2204 GOSU_VERSION=1.17`,
			`RUN mkdir /few && for p in ` + little + ` mariadbd mariadb mariadb-dump mariadb-admin mariadb-install-db my_print_defaults resolveip; do f=$(command -v $p) && ln -s "$(readlink -f $f)" /few/$p; done`,
		},
	} {
		t.Run(engine, func(t *testing.T) {
			spec := mysqls[0]
			if engine == snapshot.MariaDB {
				spec = mysqls[1]
			}
			image(t, spec.Image)
			spec.Run = strings.ReplaceAll(t.Name(), "/", "-")
			spec.Image = derive(t, spec.Image, append(lines,
				`ENV PATH=/few`, `RUN ["/bin/rm", "/bin/sh", "/usr/bin/ps", "-f"]`, `RUN ["/few/cp", "-a", "/bin/bash", "/bin/sh"]`,
				`ENTRYPOINT ["/nowhere/docker-entrypoint.sh"]`)...)
			p := container.New(container.Options{LookupEnv: os.LookupEnv})
			target := serve(t, p, spec)
			must(t, target.Instances.Stop(t.Context(), "base"))
			must(t, target.Instances.Copy(t.Context(), "base", "candidate"))
			if got := start(t, target, "candidate", nil).ask(t, "select 'here'"); got != "here" {
				t.Errorf("the candidate says %q", got)
			}
			if size, err := target.Instances.Size(t.Context(), "candidate"); err != nil || size == 0 {
				t.Errorf("size %d, %v", size, err)
			}
			must(t, target.Instances.Remove(t.Context(), "candidate"))
			start(t, target, "base", nil)
			for _, dump := range []string{"mysqldump", "mariadb-dump"} {
				if err := target.Tools.Run(t.Context(), dump, []string{"--version"}, nil, nil, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// The images that testdata/images builds behave as users of the official ones
// expect, for whoever starts them by hand or as a CI service.
func TestEntrypointOfMySQLImages(t *testing.T) {
	init := t.TempDir()
	must(t, os.Chmod(init, 0o755))
	for name, content := range map[string]string{
		"1.sql": "create table a (i int);\ninsert into a values (1);\n",
		"2.sh":  "echo \"sourced as $(id -un)\"\n",
		"9.txt": "nonsense",
	} {
		must(t, os.WriteFile(filepath.Join(init, name), []byte(content), 0o644))
	}
	for suffix, pack := range map[string]string{"gz": "gzip -c", "xz": "xz -c", "zst": "zstd -qc"} {
		if _, err := exec.LookPath(strings.Fields(pack)[0]); err != nil {
			t.Logf("without .sql.%s: %v", suffix, err)
			continue
		}
		must(t, exec.Command("sh", "-c", "echo 'insert into a values (2);' | "+pack+" >"+filepath.Join(init, "3.sql."+suffix)).Run())
	}
	must(t, os.WriteFile(filepath.Join(init, "secret"), []byte("it's \\secret\n"), 0o644))
	docker := func(t *testing.T, args ...string) (string, error) {
		out, err := exec.Command("docker", args...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	eachMySQL(t, func(t *testing.T, _ *container.Provisioner, spec snapshot.Spec) {
		if out, err := docker(t, "run", "--rm", spec.Image); err == nil || !strings.Contains(out, "MYSQL_ROOT_PASSWORD") {
			t.Errorf("started without a password: %v: %s", err, out)
		}
		if out, err := docker(t, "run", "--rm", spec.Image, "--version"); err != nil || !strings.Contains(out, spec.Version) || strings.Contains(out, "nitializ") {
			t.Errorf("asked for its version: %v: %s", err, out)
		}
		prefix := strings.ToUpper(spec.Engine)
		id, err := docker(t, "run", "--detach", "--volume", init+":/docker-entrypoint-initdb.d:ro",
			"--env", prefix+"_ROOT_PASSWORD_FILE=/docker-entrypoint-initdb.d/secret", "--env", prefix+"_DATABASE=shop",
			"--env", "MYSQL_USER=app", "--env", "MYSQL_PASSWORD=it's", spec.Image, "--max-connections=77")
		if err != nil {
			t.Fatal(id)
		}
		t.Cleanup(func() { _, _ = docker(t, "rm", "--force", "--volumes", id) })
		client := func(user, password, sql string) (string, error) {
			return docker(t, "exec", "--env", "MYSQL_PWD="+password, id, spec.Engine, "--host=127.0.0.1", "--user="+user, "-N", "-e", sql)
		}
		ready := func() {
			t.Helper()
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
				said, err := client("root", `it's \secret`, "select 1")
				if err == nil {
					return
				}
				up, _ := docker(t, "inspect", "--format", "{{.State.Running}}", id)
				if up != "true" || time.Now().After(deadline) {
					log, _ := docker(t, "logs", "--tail", "20", id)
					t.Fatalf("not ready: %s\n%s", said, log)
				}
			}
		}
		ready()
		for _, tt := range [][3]string{
			{"root", `it's \secret`, "select @@max_connections"},
			{"app", "it's", "select case when count(*) >= 1 then 77 end from shop.a"},
		} {
			if out, err := client(tt[0], tt[1], tt[2]); err != nil || out != "77" {
				t.Errorf("%s as %s: %q, %v", tt[2], tt[0], out, err)
			}
		}
		if out, err := client("app", "it's", "select 1 from mysql.user"); err == nil {
			t.Errorf("the user reads what is not its own: %s", out)
		}
		log, _ := docker(t, "logs", id)
		for _, want := range []string{"sourced as mysql", "ignoring /docker-entrypoint-initdb.d/9.txt", "ready for connections"} {
			if !strings.Contains(log, want) {
				t.Errorf("its log does not say %q", want)
			}
		}
		if out, err := client("root", `it's \secret`, "select count(*), 'kept' from shop.a"); err != nil {
			t.Error(out)
		}
		if out, err := docker(t, "restart", id); err != nil {
			t.Fatal(out)
		}
		ready()
		if out, err := client("app", "it's", "select min(i) from shop.a"); err != nil || out != "1" {
			t.Errorf("after a second start: %q, %v", out, err)
		}
	})
}

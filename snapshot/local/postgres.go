package local

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/migration-gate/migration-gate/snapshot"
)

// postgres is PostgreSQL: one server that holds every database.
func postgres() *product {
	var conf []byte // postgresql.conf as initdb left it
	return &product{
		engine: snapshot.Postgres, name: "PostgreSQL", admin: "postgres",
		programs: [][]string{serverPrograms},
		places: []string{
			"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
			"/usr/pgsql-*/bin",                                   // PGDG on Red Hat and its kin
			"/usr/lib/postgresql*/bin",                           // SUSE
			"/usr/libexec/postgresql*",                           // Alpine
			"/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew on Apple silicon
			"/usr/local/opt/postgresql@*/bin",                    // Homebrew on Intel
			"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",    // Homebrew on Linux
			"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
			"/usr/local/pgsql/bin",                               // built from source
			"/usr/local/bin", "/usr/bin",
		},
		version: func(said string) string {
			if m := postgresVersion.FindStringSubmatch(said); m != nil {
				return m[1]
			}
			return ""
		},
		lacks:    func(string) string { return "" },
		accounts: []string{account, "postgres", "nobody"},
		quit:     syscall.SIGQUIT, // an immediate shutdown
		mark:     func(data string) string { return "postgres -D " + data },
		data:     func(string) string { return "data" },
		log:      func(string) string { return "server.log" },

		initialise: initialise,
		arguments: func(c *cluster, _ string, port int, settings map[string]string) (_ []string, err error) {
			file := c.file("data/postgresql.conf")
			if conf == nil {
				if conf, err = os.ReadFile(file); err != nil {
					return nil, fmt.Errorf("configure server: %w", err)
				}
				conf, _, _ = bytes.Cut(conf, []byte(ourSettings)) // of an earlier start
			}
			// Written over, not replaced: the file stays the server's user's.
			if err := os.WriteFile(file, slices.Concat(conf, postgresSettings(c, port, settings)), 0o600); err != nil {
				return nil, fmt.Errorf("configure server: %w", err)
			}
			return []string{"-D", c.file("data")}, nil
		},
		adjust: func(c *cluster, settings map[string]string, log string) bool {
			missing := settings["shared_preload_libraries"]
			if missing == "" || !strings.Contains(log, "could not access file") {
				return false
			}
			// Contributed modules are a package of their own on Red Hat.
			c.without = missing
			delete(settings, "shared_preload_libraries")
			return true
		},
		// It says in its own postmaster.pid that it accepts connections, on our
		// port: no other server that answers there can be taken for it.
		ready: func(c *cluster, _ string, pid, port int) bool {
			pm := c.postmaster()
			return pm.pid == pid && pm.port == port && pm.status == "ready"
		},
		client: func(c *cluster, port int, program string, args []string) (names, all, env []string) {
			host := cmp.Or(c.sockets(), loopback) // a socket takes less of the processor
			return []string{program}, args, []string{"PGHOST=" + host, "PGPORT=" + strconv.Itoa(port), "PGUSER=" + c.admin,
				"PGPASSWORD=" + c.password, "PGSSLMODE=disable", "PGCONNECT_TIMEOUT=10"}
		},
		beside: func(bin string) []string { return []string{bin} },
	}
}

// serverPrograms are what a directory must hold to start PostgreSQL from.
var serverPrograms = []string{"postgres", "initdb"}

// postgresVersion is what every program says: "postgres (PostgreSQL) 15.18
// (Debian 15.18-0+deb12u1)", "psql (PostgreSQL) 19beta1".
var postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+[.\w]*)`)

// initialise makes the data directory, of a template where one is kept, and gives
// the administrator the password. A template has none, and lets nobody in.
func initialise(ctx context.Context, c *cluster) error {
	data := c.file("data")
	template := c.templates.of(c.server(c.bin), append(slices.Concat(locales(c.release)...), collations()...))
	if template == "" {
		if err := initdb(ctx, c); err != nil {
			return err
		}
		return enthrone(ctx, c)
	}
	if err := os.Remove(data); err != nil { // empty as yet
		return err
	}
	if c.templates.take(ctx, template, data, c.as) {
		if enthrone(ctx, c) == nil {
			c.template = template
			return nil
		}
		c.templates.discard(template)
		if err := os.RemoveAll(data); err != nil {
			return err
		}
	}
	if err := c.directory(data); err != nil {
		return err
	}
	if err := initdb(ctx, c); err != nil {
		return err
	}
	c.templates.keep(ctx, template, data)
	return enthrone(ctx, c)
}

// locales are what initdb is to try, best first: one that sorts by code point
// and yet knows the letters of all languages, and that is the same on every
// machine. That is PostgreSQL's own from 17 on, the C library's C.UTF-8 where
// there is one, else plain C. Databases restored from a dump bring their own.
func locales(release string) [][]string {
	all := [][]string{{"--locale=C.UTF-8"}, {"--locale=C"}}
	if majorOf(release) >= 17 {
		builtin := []string{"--locale-provider=builtin", "--builtin-locale=C.UTF-8"}
		all = [][]string{append(builtin, "--locale=C.UTF-8"), append(builtin, "--locale=C")}
	}
	return all
}

// collations changes when the machine's locales do: initdb lists them in every
// database's pg_collation.
func collations() (stamps []string) {
	for _, glob := range []string{
		"/usr/lib/locale", "/usr/lib/locale/*", "/usr/share/locale", "/usr/share/i18n/locales",
		"/lib/*/libc.so.6", "/lib64/libc.so.6", "/usr/lib/*/libicudata.so.*", "/usr/lib64/libicudata.so.*",
	} {
		found, _ := filepath.Glob(glob) // the only error is a bad pattern
		for _, path := range found {
			if info, err := os.Stat(path); err == nil {
				stamps = append(stamps, path+" "+stamp(info))
			}
		}
	}
	return stamps
}

// initdb makes a data directory, UTF-8, whose administrator has no password and
// whose pg_hba.conf admits nobody.
func initdb(ctx context.Context, c *cluster) error {
	base := []string{"-D", c.file("data"), "-U", c.admin, "-A", "reject", "-E", "UTF8", "--no-sync", "--lc-messages=C"}
	name, err := c.lendName()
	if err != nil {
		return err
	}
	for _, locale := range locales(c.release) {
		var out []byte
		cmd := c.command(ctx, filepath.Join(c.bin, "initdb"), slices.Concat(base, locale)...)
		cmd.Env = append(cmd.Env, name...)
		out, err = cmd.CombinedOutput()
		_ = appendFile(c.file("server.log"), out)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("run initdb: %w: %s", cause(ctx, err), lastLines(out, 5))
		if strings.Contains(string(out), "user does not exist") {
			err = fmt.Errorf("%w (give it a name in /etc/passwd, or install libnss-wrapper)", err)
		}
		if ctx.Err() != nil || !strings.Contains(string(out), "invalid locale") {
			return err
		}
	}
	return err
}

var rejects = regexp.MustCompile(`(?m)^(\w.*\s)reject$`)

// enthrone sets the administrator's password, in a server that reads from its
// standard input and listens nowhere, and then admits whoever has one.
func enthrone(ctx context.Context, c *cluster) error {
	name, err := c.lendName()
	if err != nil {
		return err
	}
	cmd := c.command(ctx, c.server(c.bin), "--single", "-F", "-D", c.file("data"), "-c", "exit_on_error=on",
		"-c", "password_encryption=scram-sha-256", "-c", "log_min_error_statement=panic", "-c", "dynamic_shared_memory_type="+sharedMemory(), "postgres")
	cmd.Env = append(cmd.Env, name...)
	cmd.Stdin = strings.NewReader("ALTER ROLE " + c.admin + " PASSWORD '" + c.password + "'\n")
	out, err := cmd.CombinedOutput()
	_ = appendFile(c.file("server.log"), out)
	if err != nil {
		return fmt.Errorf("set the administrator's password: %w: %s", cause(ctx, err), lastLines(out, 5))
	}
	file := c.file("data/pg_hba.conf")
	hba, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("admit the administrator: %w", err)
	}
	if err := os.WriteFile(file, rejects.ReplaceAll(hba, []byte("${1}scram-sha-256")), 0o600); err != nil {
		return fmt.Errorf("admit the administrator: %w", err)
	}
	return nil
}

// ourSettings stands between what initdb wrote into postgresql.conf and ours.
const ourSettings = "\n# Settings of migration-gate\n"

// postgresSettings renders what is appended to postgresql.conf. Ours come last, for
// the last line of a name counts: a server nobody else reaches is not up to
// the caller.
func postgresSettings(c *cluster, port int, want map[string]string) []byte {
	own := map[string]string{
		"listen_addresses":           "127.0.0.1",
		"port":                       strconv.Itoa(port),
		"unix_socket_directories":    c.sockets(),
		"unix_socket_permissions":    "0700",
		"dynamic_shared_memory_type": sharedMemory(),
		"logging_collector":          "off",
		"log_destination":            "stderr",
	}
	var b strings.Builder
	b.WriteString(ourSettings)
	for _, m := range []map[string]string{want, own} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, "%s = '%s'\n", k, strings.ReplaceAll(m[k], "'", "''"))
		}
	}
	return []byte(b.String())
}

// sockets is the directory of PostgreSQL's Unix sockets, "" where its path is too
// long for one: 104 bytes with the NUL on BSD and macOS, 108 on Linux.
func (s scratch) sockets() string {
	if len(s.file("sock/.s.PGSQL.65535")) > 103 {
		return ""
	}
	return s.file("sock")
}

// sharedMemory picks where parallel workers exchange data: /dev/shm is quick,
// but 64 MB in a container, which a parallel index build overruns; files in
// the data directory always suffice.
func sharedMemory() string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &fs); err == nil && uint64(fs.Bavail)*uint64(fs.Bsize) >= 1<<30 {
		return "posix"
	}
	return "mmap"
}

// postmaster is what postmaster.pid says.
type postmaster struct {
	pid, port int
	status    string // "starting", "ready", "stopping"
}

func (s scratch) postmaster() (pm postmaster) {
	data, err := os.ReadFile(s.file("data/postmaster.pid"))
	if err != nil {
		return pm
	}
	lines := strings.Split(string(data), "\n")
	pm.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0]))
	if len(lines) > 3 {
		pm.port, _ = strconv.Atoi(strings.TrimSpace(lines[3]))
	}
	if len(lines) > 7 {
		pm.status = strings.TrimSpace(lines[7])
	}
	return pm
}

package local

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// mysqld is what MySQL and MariaDB share: a server for each data directory,
// told everything on its command line. initialise makes the system tables, own
// are arguments that only one of the two knows, aliases the names that it has
// for a client program.
func mysqld(initialise func(context.Context, *cluster) error, own func(*cluster) []string, aliases func(program string) []string) *product {
	return &product{
		admin:    "root",
		accounts: []string{account, "mysql", "nobody"},
		quit:     syscall.SIGKILL,
		several:  true,
		mark:     func(data string) string { return "--datadir=" + data },
		data:     func(instance string) string { return "data/" + instance },
		log:      func(instance string) string { return instance + ".log" },
		lacks:    func(string) string { return "" },
		initialise: func(ctx context.Context, c *cluster) error {
			if err := c.directories(); err != nil {
				return err
			}
			rec, err := c.read()
			if err != nil {
				return err
			}
			data := c.file(c.data(snapshot.FirstInstance))
			template := c.templates.of(c.server(c.bin), lifelong(rec.Settings))
			if c.templates.take(ctx, template, data, c.as) {
				c.template = template
				return c.secrets()
			}
			if err := c.directory(data); err != nil {
				return err
			}
			if err := initialise(ctx, c); err != nil {
				return err
			}
			c.templates.keep(ctx, template, data)
			return c.secrets()
		},
		arguments: func(c *cluster, instance string, port int, settings map[string]string) ([]string, error) {
			args := c.common(instance, settings, own(c))
			args = append(args,
				"--bind-address="+loopback, "--port="+strconv.Itoa(port), "--socket="+c.socket(instance), "--pid-file="+c.pidFile(instance),
				"--local-infile=OFF", "--event-scheduler=OFF")
			if init := c.file(initFile); exists(init) {
				args = append(args, "--init-file="+init)
			}
			return args, nil
		},
		adjust: func(*cluster, map[string]string, string) bool { return false },
		ready: func(c *cluster, instance string, pid, port int) bool {
			said, err := os.ReadFile(c.pidFile(instance))
			if err != nil || strings.TrimSpace(string(said)) != strconv.Itoa(pid) || !greets(port) {
				return false
			}
			_ = os.Remove(c.file(initFile)) // done before it greets anybody
			return true
		},
		client: func(c *cluster, port int, program string, args []string) (names, all, env []string) {
			env = []string{"MYSQL_HOST=" + loopback, "MYSQL_TCP_PORT=" + strconv.Itoa(port), "MYSQL_PWD=" + c.password}
			if !strings.HasPrefix(program, "my") && !strings.HasPrefix(program, "mariadb") {
				return []string{program}, args, env
			}
			// All of the products' own, and mydumper. The one option file says
			// it all: neither the machine's nor a user's own may send a program
			// elsewhere. A later --port wins.
			return aliases(program), append([]string{"--defaults-file=" + c.file("sock/client.cnf"), "--port=" + strconv.Itoa(port)}, args...), env
		},
		beside: func(bin string) []string {
			return slices.Compact([]string{bin, filepath.Join(filepath.Dir(bin), "bin")})
		},
	}
}

// initFile gives the administrator its password at the very first start.
const initFile = "sock/init.sql"

// secrets writes what the server and client programs read the password from.
func (c *cluster) secrets() error {
	if _, err := c.secret(filepath.Base(initFile), "ALTER USER '"+c.admin+"'@'localhost' IDENTIFIED BY '"+c.password+"';\n"); err != nil {
		return err
	}
	options := "[client]\nhost=" + loopback + "\nuser=" + c.admin + "\npassword=" + c.password + "\n"
	if c.engine == snapshot.MySQL {
		options += "get-server-public-key\n" // where the connection has no TLS
	}
	_, err := c.secret("client.cnf", options)
	return err
}

func (c *cluster) pidFile(instance string) string { return c.file("sock/" + instance + ".pid") }

// socket is the path of an instance's Unix socket, "" for none where it would
// not fit: 104 bytes with the NUL on BSD and macOS, 108 on Linux, and a lock
// file's name beside it.
func (c *cluster) socket(instance string) string {
	if path := c.file("sock/" + instance + ".sock"); len(path) <= 103 {
		return path
	}
	return ""
}

// common are the arguments of every run of a server program, one that
// initialises as well: some settings are for life (lower_case_table_names).
// Ours come last, for the last word on an option counts: a server nobody else
// reaches is not up to the caller.
func (c *cluster) common(instance string, settings map[string]string, own []string) []string {
	return slices.Concat([]string{"--no-defaults"}, options(settings), layoutOf(c.bin).arguments(),
		[]string{"--datadir=" + c.file(c.data(instance)), "--tmpdir=" + c.file("tmp")}, own)
}

// directories makes what every server of these finds beside its data: a place
// for temporary files, and one that nobody may enter.
func (c *cluster) directories() error {
	if err := os.Mkdir(c.file("nowhere"), 0); err != nil {
		return err
	}
	return c.directory(c.file("tmp"))
}

// directory makes one of the server's user.
func (c *cluster) directory(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return c.own(path)
}

// profile confines the server of Ubuntu's packages to directories it lists.
const profile = "/etc/apparmor.d/usr.sbin.mysqld"

// prepare runs the server program once to make a data directory.
func (c *cluster) prepare(ctx context.Context, instance string, stdin io.Reader, own []string, args ...string) error {
	rec, err := c.read()
	if err != nil {
		return err
	}
	program := c.server(c.bin)
	args = append(args, "--loose-innodb-redo-log-capacity=16M", "--loose-innodb-log-file-size=16M") // it grows at the first start
	cmd := c.command(ctx, program, append(c.common(instance, rec.Settings, own), args...)...)
	cmd.Dir = c.file(c.data(instance))
	cmd.Stdin = stdin
	out, err := cmd.CombinedOutput()
	_ = appendFile(c.file(c.log(instance)), out)
	if err != nil {
		err = fmt.Errorf("run %s %s: %w: %s", filepath.Base(program), args[0], cause(ctx, err), lastLines(out, 5))
		if strings.Contains(string(out), "Permission denied") && exists(profile) {
			err = fmt.Errorf("%w (AppArmor's %s may keep the server out of %s)", err, profile, c.scratch)
		}
		return err
	}
	return nil
}

// options renders settings as arguments. Most that begin with "skip" take no
// value ("skip_log_bin"). Names stay resolved: the administrator is
// root@localhost, and 127.0.0.1 is that only by its name, which the server
// knows without asking anybody.
func options(settings map[string]string) (args []string) {
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		name := strings.ReplaceAll(k, "_", "-")
		bare := strings.TrimPrefix(name, "loose-")
		if bare == "skip-name-resolve" {
			continue
		}
		if strings.HasPrefix(bare, "skip-") {
			if v := settings[k]; v == "" || v == "1" || strings.EqualFold(v, "ON") {
				args = append(args, "--"+name)
				continue
			}
		}
		args = append(args, "--"+name+"="+settings[k])
	}
	return args
}

// layout is where the files are that belong to a directory of server programs.
// What is not found stays "": the server then has a place compiled in.
type layout struct {
	base     string
	messages string   // lc_messages_dir
	charsets string   // character_sets_dir
	plugins  string   // plugin_dir
	shares   []string // all directories looked at for data
}

// layoutOf knows trees of packages (PREFIX/sbin, PREFIX/share/mysql,
// PREFIX/lib/mysql/plugin) and tarballs (PREFIX/bin, PREFIX/share,
// PREFIX/lib/plugin); a tree need not be at /usr, which is what is compiled in.
func layoutOf(bin string) layout {
	l := layout{base: filepath.Dir(bin)}
	for _, glob := range []string{"share/mysql", "share/mariadb", "share/mysql-*", "share/mariadb-*", "share"} {
		found, _ := filepath.Glob(filepath.Join(l.base, glob)) // the only error is a bad pattern
		l.shares = append(l.shares, found...)
	}
	for _, dir := range l.shares {
		if l.messages == "" && exists(filepath.Join(dir, "english/errmsg.sys")) {
			l.messages = dir
		}
		if l.charsets == "" && exists(filepath.Join(dir, "charsets/Index.xml")) {
			l.charsets = filepath.Join(dir, "charsets")
		}
	}
	for _, dir := range []string{
		"lib/mysql/plugin", "lib64/mysql/plugin", "lib/mariadb/plugin", "lib64/mariadb/plugin",
		"lib/plugin", "lib64/plugin", "lib/mysql-*/plugin", "lib64/mysql-*/plugin",
	} {
		found, _ := filepath.Glob(filepath.Join(l.base, dir))
		if l.plugins == "" && len(found) > 0 {
			l.plugins = found[0]
		}
	}
	return l
}

func (l layout) arguments() []string {
	args := []string{"--basedir=" + l.base}
	for _, a := range []struct{ option, value string }{
		{"--lc-messages-dir=", l.messages}, {"--character-sets-dir=", l.charsets}, {"--plugin-dir=", l.plugins},
	} {
		if a.value != "" {
			args = append(args, a.option+a.value)
		}
	}
	return args
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// greets says whether a server of the MySQL protocol answers us on a port,
// which it does only once it accepts sessions.
func greets(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	// Length in three bytes, sequence number, protocol version 10, or an error
	// that the caller's driver will say better.
	var head [5]byte
	_, err = io.ReadFull(conn, head[:])
	return err == nil && (head[4] == 10 || head[4] == 0xff)
}

var (
	// A client's own version may come before that of the release it is from:
	// "mysql  Ver 14.14 Distrib 5.7.44, for Linux", "mariadb from
	// 11.4.2-MariaDB, client 15.2 for Linux".
	mysqldRelease = regexp.MustCompile(`(?:Distrib|from) (\d+\.\d+\.\d+)`)
	// "mysqld  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))",
	// "mariadbd  Ver 10.11.18-MariaDB-0+deb12u1 for debian-linux-gnu".
	mysqldVersion = regexp.MustCompile(`Ver (\d+\.\d+\.\d+)`)
)

// mysqldSays reads what a program of either product says of its version.
func mysqldSays(said string) (version string, maria bool) {
	for _, re := range []*regexp.Regexp{mysqldRelease, mysqldVersion} {
		if m := re.FindStringSubmatch(said); m != nil {
			return m[1], strings.Contains(said, "MariaDB")
		}
	}
	return "", false
}

// mysqldPlaces are where either product is: Debian and most others, Red Hat's
// own packages, a tarball unpacked by hand or by macOS's installer.
var mysqldPlaces = []string{"/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/libexec", "/usr/local/bin", "/usr/bin"}

package container

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"

	"github.com/migration-gate/migration-gate/snapshot"
)

const (
	// firstPort is the first instance's in the container.
	firstPort = 3306
	// beside is how many servers can run beside the first instance's at a time:
	// the candidate, the probe and what looks again, and one to spare.
	beside = 4
	// dataHome is a volume of the container's own, whatever directories the
	// image declares: plain files of the engine's host.
	dataHome   = "/var/lib/migration-gate"
	scriptPath = dataHome + "/instance.sh"
)

// instanceScript runs in the container.
//
//go:embed instance.sh
var instanceScript string

// idle is what the container itself runs: it waits, picks up what it inherits,
// and ends at once when it is asked to.
const idle = `trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done`

func mysql() *product {
	return family(snapshot.MySQL, "MySQL", "9", "MYSQL_VERSION", func(env func(string) string) string {
		return cmp.Or(inImage(env, "MARIADB_VERSION", "MariaDB"), postgresIn(env))
	})
}

func mariadb() *product {
	return family(snapshot.MariaDB, "MariaDB", "11.8", "MARIADB_VERSION", func(env func(string) string) string {
		if env("MARIADB_VERSION") != "" { // MariaDB's images may set MySQL's variables, too
			return ""
		}
		return cmp.Or(inImage(env, "MYSQL_VERSION", "MySQL"), postgresIn(env))
	})
}

// family is MySQL and MariaDB. Of the image only the programs are used, not its
// entrypoint: clones are copies of a stopped data directory, so that several
// servers run in one container, and none of them may end it.
func family(engine, name, newest, variable string, other func(env func(string) string) string) *product {
	pr := &product{
		engine: engine, name: name, newest: newest, admin: "root", account: "mysql", several: true, data: dataHome,
		version: func(env func(string) string, _ string) string { return release(env(variable)) },
		other:   other,
		client:  mysqlClient,
	}
	for i := range 1 + beside {
		pr.ports = append(pr.ports, network.MustParsePort(strconv.Itoa(firstPort+i)+"/tcp"))
	}
	pr.request = func(req *testcontainers.ContainerRequest, _ snapshot.Spec, _ snapshot.Offer, _ string) {
		req.Entrypoint = []string{"sh", "-c", idle}
		common := req.HostConfigModifier
		req.HostConfigModifier = func(hc *container.HostConfig) {
			common(hc)
			hc.Mounts = append(hc.Mounts, mount.Mount{
				Type: mount.TypeVolume, Target: dataHome,
				VolumeOptions: &mount.VolumeOptions{Labels: req.Labels},
			})
		}
	}
	pr.ask = func(ctx context.Context, t *tools) (string, error) {
		out, err := t.output(ctx, "sh", "-c", `p=$(command -v mariadbd || command -v mysqld) && "$p" --version`)
		if err != nil {
			return "", fmt.Errorf("ask for the server's version: %w", err)
		}
		return pr.parse(out)
	}
	pr.serve = func(ctx context.Context, c *launched, spec snapshot.Spec) (version, lacks string, err error) {
		i := &instances{tools: &tools{cli: c.cli, product: pr, id: c.handle.ID}, handle: c.handle, why: c.route.why}
		said, err := i.install(ctx)
		if err != nil {
			return "", "", fmt.Errorf("prepare the container: %w", err)
		}
		if version, err = pr.parse(said); err != nil {
			return "", "", err
		}
		args, err := arguments(engine, spec.Settings)
		if err != nil {
			return "", "", err
		}
		said, err = i.run(ctx, pr.account, []string{"PASSWORD=" + c.handle.Password}, append([]string{"init", snapshot.FirstInstance}, args...)...)
		if err != nil {
			return "", "", fmt.Errorf("initialise the data directory: %w", err)
		}
		_, lacks, _ = strings.Cut(said, "lacks ")
		if _, _, err := i.Start(ctx, snapshot.FirstInstance, nil); err != nil {
			return "", "", err
		}
		if _, err := i.run(ctx, pr.account, nil, "initialised", snapshot.FirstInstance); err != nil {
			return "", "", fmt.Errorf("take the password away: %w", err)
		}
		return version, strings.TrimSpace(lacks), nil
	}
	return pr
}

// arguments are a server's: what is wanted of it, and what is not up to the
// caller, which comes last.
func arguments(engine string, settings map[string]string) ([]string, error) {
	args, err := options(settings)
	if err != nil {
		return nil, err
	}
	args = append(args,
		"--bind-address=0.0.0.0", "--skip-name-resolve=ON",
		"--performance-schema=ON", "--event-scheduler=OFF", "--local-infile=OFF",
	)
	if engine == snapshot.MariaDB {
		// It knows no NULL here: a directory in which nothing is, and into
		// which the server may not write.
		return append(args, "--secure-file-priv="+dataHome+"/nowhere"), nil
	}
	return append(args, "--secure-file-priv=NULL", "--loose-mysqlx=OFF"), nil
}

// options spells settings as arguments. Most that begin with "skip" take no
// value ("skip_log_bin").
func options(settings map[string]string) ([]string, error) {
	args := []string{}
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		name, v := strings.ReplaceAll(k, "_", "-"), settings[k]
		if strings.ContainsAny(v, "\n\x00") {
			return nil, fmt.Errorf("setting %s: its value is more than one line", k)
		}
		if strings.HasPrefix(strings.TrimPrefix(name, "loose-"), "skip-") && (v == "" || v == "1" || strings.EqualFold(v, "ON")) {
			args = append(args, "--"+name)
			continue
		}
		args = append(args, "--"+name+"="+v)
	}
	return args, nil
}

// "mysqld  Ver 8.0.35 for Linux on x86_64 (MySQL Community Server - GPL)";
// "mariadbd  Ver 10.11.2-MariaDB-1:10.11.2+maria~ubu2204 for …".
var mysqlVersion = regexp.MustCompile(`Ver (\d+(?:\.\d+)+)(\S*)`)

// parse reads what the server's program says of its version.
func (pr *product) parse(said string) (string, error) {
	m := mysqlVersion.FindStringSubmatch(said)
	if m == nil {
		return "", fmt.Errorf("ask for the server's version: unexpected answer %q", said)
	}
	maria := strings.Contains(m[2], "MariaDB")
	if maria && pr.engine == snapshot.MySQL {
		return "", errors.New("the image holds MariaDB " + m[1] + ", not MySQL")
	}
	if !maria && pr.engine == snapshot.MariaDB {
		return "", errors.New("the image holds MySQL " + m[1] + ", not MariaDB")
	}
	return m[1], nil
}

// mysqlClient is for programs that reach the first instance: where and as whom
// is in the option file that their HOME holds, so one that is told not to read
// any must be told all.
func mysqlClient(program, password string) (names, env []string) {
	names = []string{program}
	// The other family's spelling: MariaDB's images gave up mysql's names.
	if rest, ok := strings.CutPrefix(program, "mariadb"); ok {
		names = append(names, "mysql"+strings.TrimPrefix(rest, "-"))
	} else if rest, ok := strings.CutPrefix(program, "mysql"); ok {
		if rest != "" {
			rest = "-" + rest
		}
		names = append(names, "mariadb"+rest)
	}
	return names, []string{"HOME=" + dataHome + "/client", "MYSQL_PWD=" + password}
}

package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	osuser "os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	hardware "github.com/migration-gate/migration-gate/snapshot/internal/machine"
)

// Binaries is a directory of a server's programs.
type Binaries struct {
	Version string `json:"version"`
	Dir     string `json:"dir"`
}

// Found lists the server binaries of an engine on this machine, best first, and
// what does not start.
func (p *Provisioner) Found(ctx context.Context, engine string) (found []Binaries, broken []string, err error) {
	product, err := productOf(engine)
	if err != nil {
		return nil, nil, err
	}
	list, _, broken := p.find(ctx, product, product.programs...)
	for _, b := range list {
		found = append(found, Binaries{b.version, b.dir})
	}
	return found, broken, nil
}

// RunsAs names the account that servers of an engine run as, where it is not
// this process's own; "" where it is.
func RunsAs(engine string) string {
	p, err := productOf(engine)
	if err != nil {
		return ""
	}
	as := user(p)
	if as == nil {
		return ""
	}
	uid := strconv.FormatUint(uint64(as.Uid), 10)
	if u, err := osuser.LookupId(uid); err == nil {
		return u.Username
	}
	return "uid " + uid
}

// Leftovers lists what Reap would remove, and removes nothing.
func (m *machine) Leftovers() ([]string, error) {
	orphans, err := m.orphans()
	var left []string
	for _, o := range orphans {
		left = append(left, o.String())
	}
	return left, err
}

// Ground is what servers on this machine stand on. What cannot be read is 0
// or "".
type Ground struct {
	Scratch    string  `json:"scratch"`
	Filesystem string  `json:"filesystem"` // of it, "ext4", "btrfs", "overlay", …
	Free       int64   `json:"free"`       // bytes there, for this user
	Reflink    bool    `json:"reflink"`    // whether files there can share their blocks
	Shm        int64   `json:"shm"`        // bytes free in /dev/shm
	Memory     int64   `json:"memory"`     // bytes, the control group's limit included
	CPUs       int     `json:"cpus"`
	Quota      float64 `json:"cpu_quota"` // processors that the control group allows, 0 for no limit
}

// Ground looks at the scratch directory, which it makes as a server would, and
// at the machine.
func (m *machine) Ground() (Ground, error) {
	g := Ground{Memory: hardware.Memory(), CPUs: runtime.NumCPU(), Quota: cpuQuota(), Shm: free("/dev/shm")}
	root, err := m.root()
	if err != nil {
		return g, err
	}
	g.Scratch, g.Free, g.Filesystem, g.Reflink = root, free(root), filesystem(root), reflinks(root)
	return g, nil
}

func free(dir string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0
	}
	return int64(st.Bavail) * int64(st.Bsize)
}

// cpuQuota reads the control group's limit, of either version.
func cpuQuota() float64 {
	if b, err := os.ReadFile("/sys/fs/cgroup/cpu.max"); err == nil {
		if quota, period, ok := strings.Cut(strings.TrimSpace(string(b)), " "); ok {
			return ratio(quota, period)
		}
	}
	quota, err := os.ReadFile("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
	period, err2 := os.ReadFile("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
	if err != nil || err2 != nil {
		return 0
	}
	return ratio(strings.TrimSpace(string(quota)), strings.TrimSpace(string(period)))
}

func ratio(quota, period string) float64 {
	q, err := strconv.ParseFloat(quota, 64) // "max" and -1 are no limit
	p, err2 := strconv.ParseFloat(period, 64)
	if err != nil || err2 != nil || q <= 0 || p <= 0 {
		return 0
	}
	return q / p
}

// Cached lists the versions of prebuilt servers that need no download any more.
func (e *Embedded) Cached() []string {
	dirs, _ := filepath.Glob(filepath.Join(e.embedded.Cache, fmt.Sprintf("postgres-*-%s-%s", runtime.GOOS, runtime.GOARCH))) // the only error is a bad pattern
	var cached []string
	for _, dir := range dirs {
		if hasPrograms(filepath.Join(dir, "bin"), serverPrograms) {
			version := strings.TrimPrefix(filepath.Base(dir), "postgres-")
			version = strings.TrimSuffix(version, fmt.Sprintf("-%s-%s", runtime.GOOS, runtime.GOARCH))
			cached = append(cached, strings.TrimSuffix(version, ".0"))
		}
	}
	slices.SortFunc(cached, compareVersions)
	return cached
}

// Repository is where prebuilt servers come from, without a password.
func (e *Embedded) Repository() string {
	if e.embedded.URL == "" {
		return "Maven Central"
	}
	return "the repository of --embedded-url"
}

// Reachable asks the repository of prebuilt servers whether it answers, for a
// few seconds at most.
func (e *Embedded) Reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, cmp.Or(strings.TrimSuffix(e.embedded.URL, "/"), defaultURL())+"/", nil)
	if err != nil {
		return fmt.Errorf("ask %s: its address is none", e.Repository())
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		var at *url.Error // names the address, which may hold a password
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("ask %s: %w", e.Repository(), err)
	}
	_ = res.Body.Close()
	if res.StatusCode >= 500 || res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
		return fmt.Errorf("ask %s: it answers %s", e.Repository(), res.Status)
	}
	return nil
}

package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// sumFile, beside fetched binaries, says from which archive they are.
const sumFile = "jar.sha256"

// fetch makes dir hold a release. embedded-postgres knows the repository's
// layout, the platforms' names and the archives; it unpacks aside, and the
// whole is moved into place, so that concurrent first runs never meet half of
// it.
func (e *Embedded) fetch(ctx context.Context, dir, release string) error {
	pin := strings.ToLower(e.embedded.SHA256)
	if hasPrograms(filepath.Join(dir, "bin"), serverPrograms) {
		return e.verifyCached(dir, pin)
	}
	if e.embedded.Log != nil {
		e.embedded.Log("downloading PostgreSQL " + release + " server binaries (once, about 15 MB)")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	stage, err := os.MkdirTemp(filepath.Dir(dir), ".fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)

	m := &mirror{ctx: ctx, upstream: strings.TrimSuffix(e.embedded.URL, "/"), pin: pin, file: filepath.Join(stage, "jar")}
	if m.upstream == "" {
		m.upstream = defaultURL()
	}
	if err := m.unpack(release, stage); err != nil {
		return err
	}
	pg := filepath.Join(stage, "pg")
	if err := os.WriteFile(filepath.Join(pg, sumFile), []byte(m.sum+"\n"), 0o644); err != nil {
		return err
	}
	if err := os.Chmod(pg, 0o755); err != nil {
		return err
	}
	if err := os.Rename(pg, dir); err != nil {
		if hasPrograms(filepath.Join(dir, "bin"), serverPrograms) { // another run was quicker
			return e.verifyCached(dir, pin)
		}
		return err
	}
	return nil
}

func (e *Embedded) verifyCached(dir, pin string) error {
	if pin == "" {
		return nil
	}
	sum, err := os.ReadFile(filepath.Join(dir, sumFile))
	if err != nil {
		return fmt.Errorf("verify cached binaries: %w", err)
	}
	if got := strings.TrimSpace(string(sum)); got != pin {
		return fmt.Errorf("verify cached binaries: those in %s are from an archive with SHA-256 %s, wanted %s; remove the directory to fetch them anew", dir, got, pin)
	}
	return nil
}

// mirror serves one archive to the library on the loopback interface, after
// having fetched and verified it: the library itself downloads without a
// context, goes without a checksum where none is offered, and does not say
// why a download fails.
type mirror struct {
	ctx      context.Context
	upstream string
	pin      string // wanted SHA-256, "" for the one upstream
	file     string

	once sync.Once
	sum  string
	err  error
}

// unpack has the library fetch a release from the mirror and unpack it to
// stage/pg.
func (m *mirror) unpack(release, stage string) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l) //nolint:errcheck // ends by Close
	defer srv.Close()
	// The library asks for that first, and takes any refusal for a busy port.
	named, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return fmt.Errorf("unpack archive: localhost leads nowhere on this machine: %w", err)
	}
	_ = named.Close()
	// The library fetches only as the first step of a start. The impossible
	// data directory ends that start right after, before anything runs.
	cfg := embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.PostgresVersion(release)).
		BinaryRepositoryURL("http://" + l.Addr().String()).
		CachePath(filepath.Join(stage, "cache")).
		RuntimePath(filepath.Join(stage, "run")).
		BinariesPath(filepath.Join(stage, "pg")).
		DataPath(filepath.Join(os.DevNull, "none")).
		Port(0).
		Logger(io.Discard)
	started := embeddedpostgres.NewDatabase(cfg).Start()
	removeLog()
	m.once.Do(func() {}) // whatever it wrote, it wrote before this
	switch {
	case m.err != nil:
		return m.err
	case m.ctx.Err() != nil:
		return context.Cause(m.ctx)
	case hasPrograms(filepath.Join(stage, "pg", "bin"), serverPrograms):
		return nil
	case started != nil:
		return fmt.Errorf("unpack archive: %w", started)
	}
	return errors.New("unpack archive: it holds no server")
}

// removeLog takes away the log file that the library makes for the server it
// starts, and leaves open.
func removeLog() {
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return
	}
	for _, fd := range fds {
		if path, err := os.Readlink(fd); err == nil && strings.HasPrefix(filepath.Base(path), "embedded_postgres_log") {
			_ = os.Remove(path)
		}
	}
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, ".sha256")
	m.once.Do(func() { m.err = m.download(m.upstream + path) })
	if m.err != nil {
		http.Error(w, m.err.Error(), http.StatusBadGateway)
		return
	}
	if path != r.URL.Path {
		_, _ = io.WriteString(w, m.sum)
		return
	}
	http.ServeFile(w, r, m.file)
}

// download fetches the archive and verifies it.
func (m *mirror) download(url string) error {
	want := m.pin
	if want == "" {
		sum, err := m.get(url + ".sha256")
		if err != nil {
			return fmt.Errorf("%w (without a checksum beside the archive, one must be given)", err)
		}
		defer sum.Close()
		text, err := io.ReadAll(io.LimitReader(sum, 1024))
		if err != nil {
			return err
		}
		fields := strings.Fields(string(text)) // some repositories add the file's name
		if len(fields) == 0 {
			return fmt.Errorf("get %s.sha256: it is empty", url)
		}
		want = strings.ToLower(fields[0])
	}
	body, err := m.get(url)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.Create(m.file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, h), body); err != nil {
		return fmt.Errorf("get %s: %w", url, err)
	}
	m.sum = hex.EncodeToString(h.Sum(nil))
	if m.sum != want {
		return fmt.Errorf("verify %s: its SHA-256 is %s, wanted %s", url, m.sum, want)
	}
	return f.Close()
}

// get asks twice more where the network or the repository has a bad moment.
func (m *mirror) get(url string) (io.ReadCloser, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	transport.DisableKeepAlives = true
	client := &http.Client{Transport: transport}
	for tries := 0; ; tries++ {
		req, err := http.NewRequestWithContext(m.ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		res, err := client.Do(req)
		switch {
		case err == nil && res.StatusCode == http.StatusOK:
			return res.Body, nil
		case err == nil:
			_ = res.Body.Close()
			err = fmt.Errorf("get %s: %s", url, res.Status)
			if res.StatusCode < 500 {
				return nil, err
			}
		}
		if m.ctx.Err() != nil || tries == 2 {
			return nil, err
		}
		select {
		case <-m.ctx.Done():
			return nil, context.Cause(m.ctx)
		case <-time.After(time.Second << tries):
		}
	}
}

// defaultURL is the repository that the library fetches from when it is not
// told otherwise, which it keeps to itself.
func defaultURL() string {
	return reflect.ValueOf(embeddedpostgres.DefaultConfig()).FieldByName("binaryRepositoryURL").String()
}

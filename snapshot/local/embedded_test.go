package local_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/local"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// repository is a Maven repository with one archive, the layout as real ones
// have it.
type repository struct {
	jar    []byte
	sum    string // what stands beside it; "" for nothing
	status int    // instead of everything else
	stall  bool
	mu     sync.Mutex
	served int
}

func (r *repository) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !strings.HasPrefix(req.URL.Path, "/maven/io/zonky/test/postgres/embedded-postgres-binaries-") {
		http.NotFound(w, req)
		return
	}
	switch {
	case r.status != 0:
		http.Error(w, "no", r.status)
	case r.stall:
		<-req.Context().Done()
	case strings.HasSuffix(req.URL.Path, ".jar.sha256") && r.sum != "":
		_, _ = io.WriteString(w, r.sum)
	case strings.HasSuffix(req.URL.Path, ".jar"):
		r.mu.Lock()
		r.served++
		r.mu.Unlock()
		_, _ = w.Write(r.jar)
	default:
		http.NotFound(w, req)
	}
}

var packed struct {
	sync.Once
	jar []byte
}

// jar packs binaries as the repository's archives are: a .txz in a zip. The
// programs are real ones, copied from the installed or fetched server.
func jar(t *testing.T) []byte {
	t.Helper()
	if _, err := exec.LookPath("xz"); err != nil {
		snapshottest.Missing(t, "the test mirror's archive, for there is no xz", "testdata/install.sh xz")
	}
	packed.Do(func() { packed.jar = pack(t) })
	if packed.jar == nil {
		t.Fatal("the archive could not be made")
	}
	return packed.jar
}

func pack(t *testing.T) []byte {
	t.Helper()
	p := local.NewEmbedded(local.EmbeddedOptions{Options: local.Options{Scratch: scratch(t)}, Cache: cacheDir()})
	spec := snapshot.Spec{Run: t.Name(), Version: "18"}
	offer := p.Offer(t.Context(), spec)
	target, err := p.Provision(t.Context(), spec, offer) // has it fetched where it is not
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	txz, err := exec.Command("tar", "--create", "--use-compress-program", "xz -0 -T0", "--directory", filepath.Dir(offer.Place), "bin", "lib", "share").Output()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("postgres-linux-x86_64.txz")
	if err == nil {
		_, err = w.Write(txz)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func TestMirror(t *testing.T) {
	archive := jar(t)
	corrupt := bytes.Clone(archive)
	corrupt[len(corrupt)/2] ^= 1
	for _, tt := range []struct {
		name string
		repo *repository
		pin  string
		want string // in the error; "" for a server
	}{
		{"checksum beside it", &repository{jar: archive, sum: sum(archive)}, "", ""},
		{"checksum with a file name", &repository{jar: archive, sum: sum(archive) + "  embedded.jar\n"}, "", ""},
		{"checksum given", &repository{jar: archive}, strings.ToUpper(sum(archive)), ""},
		{"given one outweighs the one beside it", &repository{jar: corrupt, sum: sum(corrupt)}, sum(archive), "wanted " + sum(archive)},
		{"corrupted on the way", &repository{jar: corrupt, sum: sum(archive)}, "", "its SHA-256 is " + sum(corrupt)},
		{"no checksum at all", &repository{jar: archive}, "", "one must be given"},
		{"corrupted and blessed", &repository{jar: corrupt, sum: sum(corrupt)}, "", "unpack archive"},
		{"not an archive", &repository{jar: []byte("<html>"), sum: sum([]byte("<html>"))}, "", "unpack archive"},
		{"not there", &repository{status: 404}, "", "404 Not Found"},
		{"forbidden", &repository{status: 403}, "", "403 Forbidden"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.repo)
			defer srv.Close()
			root := scratch(t)
			cache := filepath.Join(root, "cache-"+strings.ReplaceAll(tt.name, " ", "-"))
			told := ""
			p := local.NewEmbedded(local.EmbeddedOptions{Options: local.Options{Scratch: root}, Cache: cache, URL: srv.URL + "/maven/", SHA256: tt.pin, Log: func(msg string) { told += msg }})
			spec := snapshot.Spec{Run: "mirror", Version: "18"}
			offer := p.Offer(t.Context(), spec)
			if !offer.OK || !strings.Contains(offer.Detail, "to be downloaded") {
				t.Fatalf("offer: %+v", offer)
			}
			target, err := p.Provision(t.Context(), spec, offer)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				if left, _ := os.ReadDir(cache); len(left) > 0 {
					t.Errorf("the cache holds %v after a fetch that failed", left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(told, "downloading PostgreSQL 18") || !strings.Contains(target.Detail, "downloaded just now") {
				t.Errorf("told of the download: %q before, %q after", told, target.Detail)
			}
			if err := target.Close(context.Background()); err != nil {
				t.Error(err)
			}
			srv.Close() // from now on the cache has to do
			target, err = p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
			if err != nil {
				t.Fatalf("from the cache: %v", err)
			}
			_ = target.Close(context.Background())
			wrong := local.NewEmbedded(local.EmbeddedOptions{Options: local.Options{Scratch: root}, Cache: cache, SHA256: sum(corrupt)})
			if _, err := wrong.Provision(t.Context(), spec, wrong.Offer(t.Context(), spec)); err == nil || !strings.Contains(err.Error(), "verify cached binaries") {
				t.Errorf("a cache of another checksum: %v", err)
			}
		})
	}
}

func TestFirstFetchesAtOnce(t *testing.T) {
	archive := jar(t)
	repo := &repository{jar: archive, sum: sum(archive)}
	srv := httptest.NewServer(repo)
	defer srv.Close()
	root := scratch(t)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			p := local.NewEmbedded(local.EmbeddedOptions{Options: local.Options{Scratch: root}, Cache: filepath.Join(root, "cache"), URL: srv.URL + "/maven"})
			spec := snapshot.Spec{Run: "at-once", Version: "18"}
			target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
			if err != nil {
				t.Error(err)
				return
			}
			if err := target.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(filepath.Join(root, "cache"))
	if err != nil || len(entries) != 1 {
		t.Errorf("the cache holds %v, %v", entries, err)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	srv := httptest.NewServer(&repository{stall: true})
	defer srv.Close()
	root := scratch(t)
	p := local.NewEmbedded(local.EmbeddedOptions{Options: local.Options{Scratch: root}, Cache: filepath.Join(root, "cache"), URL: srv.URL + "/maven"})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begun := time.Now()
	spec := snapshot.Spec{Run: "stall", Version: "18"}
	_, err := p.Provision(ctx, spec, p.Offer(ctx, spec))
	if err == nil || time.Since(begun) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
	srv.CloseClientConnections()
}

func TestOffersOfPrebuiltBinaries(t *testing.T) {
	root := scratch(t)
	p := local.NewEmbedded(local.EmbeddedOptions{Options: local.Options{Scratch: root}, Cache: filepath.Join(root, "cache")})
	for version, want := range map[string]string{"": "18.", "12": "12.", "15": "15.", "15.4": "15.", "18": "18.", "11": "", "19": "", "x": ""} {
		offer := p.Offer(t.Context(), snapshot.Spec{Version: version})
		if offer.OK != (want != "") || !strings.HasPrefix(offer.Version, want) || offer.OK && !offer.Exact {
			t.Errorf("offer for %q: %+v", version, offer)
		}
	}
}

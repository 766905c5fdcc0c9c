package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/migration-gate/migration-gate/snapshot"
)

// EmbeddedOptions say where prebuilt server binaries come from.
type EmbeddedOptions struct {
	Options
	// URL of a Maven repository's root; "" for Maven Central.
	URL string
	// SHA256 the fetched archive (the jar) must have, in hex; "" to go by the
	// checksum that the repository holds beside it. One value fits one
	// version and platform.
	SHA256 string
	// Cache is the directory that keeps what was fetched, for all runs; it
	// must be one that an unprivileged user may enter. See CacheDir.
	Cache string
	// Log is told of a download before it starts; nil for silence.
	Log func(msg string)
}

// Embedded starts servers from binaries that it downloads once.
type Embedded struct {
	machine
	embedded EmbeddedOptions
}

var _ snapshot.Provisioner = (*Embedded)(nil)

// NewEmbedded returns the provisioner of kind "embedded".
func NewEmbedded(opt EmbeddedOptions) *Embedded {
	return &Embedded{machine{opt: opt.Options, kind: "embedded"}, opt}
}

// releases are the newest prebuilt releases known of each major version.
var releases = map[string]string{
	"12": "12.22.0", "13": "13.23.0", "14": "14.24.0", "15": "15.19.0",
	"16": "16.15.0", "17": "17.11.0", "18": "18.6.0",
}

// newestRelease is the major served where none is wanted.
const newestRelease = "18"

// CacheDir is where downloads are kept: below the user's own cache directory,
// except for root, whose home the server's unprivileged user may not enter. A
// user without a home (docker run --user), and one who may not write there (a
// read-only container), gets a directory among the temporary ones.
func CacheDir(userCache string) string {
	dir := "/var/cache/migration-gate"
	if os.Geteuid() != 0 && userCache != "" {
		dir = filepath.Join(userCache, "migration-gate")
	}
	return orTemporary(dir)
}

func orTemporary(dir string) string {
	if mayMake(dir) {
		return dir
	}
	temporary := filepath.Join(os.TempDir(), fmt.Sprintf("migration-gate-cache-%d", os.Geteuid()))
	if private(temporary, 0o755, "cache directory") != nil {
		return dir // whoever writes there says why it cannot
	}
	return temporary
}

// mayMake says whether dir could be written to, without making it.
func mayMake(dir string) bool {
	for {
		err := unix.Access(dir, unix.W_OK|unix.X_OK)
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return err == nil
		}
		dir = parent
	}
}

// Offer needs no network: it says which release would be fetched.
func (e *Embedded) Offer(_ context.Context, spec snapshot.Spec) snapshot.Offer {
	offer := snapshot.Offer{Kind: e.kind}
	p, err := productOf(spec.Engine)
	if err != nil {
		offer.Detail = err.Error()
		return offer
	}
	if p.engine != snapshot.Postgres {
		offer.Detail, offer.Help = fmt.Sprintf("no prebuilt %s server is fetched", p.name), p.wanted
		return offer
	}
	if detail := e.unfit(p); detail != "" {
		offer.Detail = detail
		return offer
	}
	want := spec.Version
	if want == "" {
		want = newestRelease
	}
	release, ok := releases[snapshot.Major(want)]
	if !ok {
		offer.Detail = fmt.Sprintf("no prebuilt binaries of PostgreSQL %s are known, only of 12 to %s", want, newestRelease)
		return offer
	}
	offer.OK, offer.Exact = true, true
	offer.Version = strings.TrimSuffix(release, ".0")
	offer.Place = filepath.Join(e.embedded.Cache, fmt.Sprintf("postgres-%s-%s-%s", release, runtime.GOOS, runtime.GOARCH), "bin")
	offer.Detail = fmt.Sprintf("prebuilt server binaries %s", offer.Version)
	if !hasPrograms(offer.Place, serverPrograms) {
		offer.Detail += ", to be downloaded once"
	}
	return offer
}

// Provision fetches the binaries where they are not cached yet, and goes on
// as for local ones.
func (e *Embedded) Provision(ctx context.Context, spec snapshot.Spec, offer snapshot.Offer) (*snapshot.Target, error) {
	if offer.OK {
		if err := e.fetch(ctx, filepath.Dir(offer.Place), offer.Version+".0"); err != nil {
			return nil, fmt.Errorf("fetch PostgreSQL %s: %w", offer.Version, err)
		}
		offer.Detail = strings.Replace(offer.Detail, ", to be downloaded once", ", downloaded just now", 1)
	}
	return e.provision(ctx, spec, offer)
}

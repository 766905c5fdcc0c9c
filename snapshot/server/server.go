// Package server is the provisioner of kind "server": a running server that
// somebody else started, such as a service container of a CI job. What a run
// makes there are databases and accounts whose names begin with a prefix of its
// own, and nothing else on the server is changed, or removed.
//
// What lives here: reading the URL, the guard that refuses what looks like
// production, what the account may do, the marks by which a later start finds
// and removes what was left behind, and client programs. What never will:
// restoring, cloning, measuring; those are the engines' own and only keep to
// the target's prefix.
package server

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/owner"
)

// Options say which server, and whom to trust. Nothing is read from the
// process's environment.
type Options struct {
	// URL of the server, with account and password:
	// postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=… or
	// mysql://USER:PASSWORD@HOST:PORT. The host "auto" stands for the usual
	// names of a CI service and this machine.
	URL string
	// Allow lists servers, as HOST or HOST:PORT, that may be used although they
	// look like production; Deny lists globs over HOST:PORT of what never may.
	Allow, Deny []string
	// CI: a continuous integration system runs this, so a server that may be
	// used has been started for this very job.
	CI bool
	// Path is searched for client programs, as the variable PATH.
	Path string
	// Log is told what is worth knowing and stops nothing; may be nil.
	Log func(string)
}

// Provisioner makes targets on one server.
type Provisioner struct {
	opt  Options
	mu   sync.Mutex
	seen map[address]sight
}

var _ snapshot.Provisioner = (*Provisioner)(nil)

// New connects to nothing yet; a URL that cannot be read shows in the offer.
func New(opt Options) *Provisioner {
	if opt.Log == nil {
		opt.Log = func(string) {}
	}
	return &Provisioner{opt: opt, seen: map[address]sight{}}
}

// Kind as --target spells it.
func (*Provisioner) Kind() string { return "server" }

// product is what a database product does its own way.
type product interface {
	// open connects to one address with the account of the URL. In its error's
	// chain is the driver's; the password never is.
	open(ctx context.Context, at address) (account, error)
	// client is what a client program needs to connect to a target: the names
	// it may go by, its arguments and its environment.
	client(t *snapshot.Target, program string, args []string) (names, all, env []string)
}

// account is one session with what the account may do, and the only way in
// which this package writes to a server.
type account interface {
	// look reads what the guard judges, and changes nothing.
	look(ctx context.Context) (looked, error)
	// mark makes the database m.Prefix + snapshot.Home and writes m where only
	// this tool would: the run is on record before it makes anything else.
	mark(ctx context.Context, m mark) error
	// marks lists what mark wrote, by this run and by others.
	marks(ctx context.Context) ([]mark, error)
	// remove drops every database and account whose name begins with the prefix,
	// the marked database last, whatever sessions they have; gone is no error.
	remove(ctx context.Context, prefix string) error
	// remote is the address that the session has reached, "" for a socket.
	remote() string
	close()
}

// looked is what a look at a server found.
type looked struct {
	Engine, Version string // "mariadb", "10.11.6"
	// Up is how long the server has been running; 0 unknown.
	Up time.Duration
	// Others are databases that hold something, and are neither the server's
	// own nor made by this tool.
	Others []string
	// Traffic is what goes on in databases that are not ours, each a few words:
	// "shop: sessions 3".
	Traffic []string
	// Signs of production that only this product has, each a clause with the
	// server as its subject: "has 2 replicas attached (10.0.0.7, 10.0.0.8)".
	Signs []string
	// Lacks is what the account may not do or see; Unable why it can be used
	// for nothing, nil where it can.
	Lacks  []snapshot.Lack
	Unable *snapshot.Lack
}

// productOf a URL's engine. MariaDB is told from MySQL only by looking.
func productOf(engine string) (product, error) {
	switch engine {
	case snapshot.Postgres, "":
		return postgres{}, nil
	case snapshot.MySQL, snapshot.MariaDB:
		return mysql{}, nil
	}
	return nil, fmt.Errorf("engine %q is unknown", engine)
}

// mark is what a run leaves on the server for whoever comes after it.
type mark struct {
	Prefix  string      `json:"prefix"`
	Owner   owner.Owner `json:"owner"`
	Expires time.Time   `json:"expires"`
	Keep    bool        `json:"keep"`
}

// prefixOf a run hides the run's name, which is a secret where an account has
// no password, and fits the shortest names there are (32 characters of a user
// in MySQL).
func prefixOf(run string) string {
	sum := sha256.Sum256([]byte(run))
	return "mg_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:10]) + "_"
}

var ourPrefix = regexp.MustCompile(`^mg_[a-z2-7]{10}_$`)

// orphaned says why nobody wants what a mark stands for, "" while somebody may.
func (m mark) orphaned(now time.Time) string {
	expired := now.After(m.Expires)
	switch {
	case m.Owner == (owner.Owner{}):
		return "left by an interrupted start"
	case m.Owner.Here() && m.Owner.Alive():
		return ""
	case m.Owner.Here() && !m.Keep:
		return "its process is gone"
	case expired:
		return "expired " + m.Expires.UTC().Format(time.RFC3339)
	}
	return ""
}

// Provision makes the run's first database, by which a later start knows it.
func (p *Provisioner) Provision(ctx context.Context, spec snapshot.Spec, offer snapshot.Offer) (*snapshot.Target, error) {
	if spec.Run == "" {
		return nil, errors.New("use the server: the run has no name")
	}
	acc, at, l, err := p.admit(ctx, spec.Engine, offer.Place)
	if err != nil {
		return nil, fmt.Errorf("use the server: %w", err)
	}
	defer acc.close()
	if l.Unable != nil {
		return nil, fmt.Errorf("use the server %s: %s: %s", at, l.Unable.What, l.Unable.Why)
	}
	h := snapshot.Handle{
		Kind: p.Kind(), Run: spec.Run, ID: at.String(), Host: at.host, Port: at.port, Expires: spec.Expires,
		User: at.user, Password: at.password, Params: at.params, Database: at.database,
		Engine: l.Engine, Prefix: prefixOf(spec.Run),
	}
	// Whatever is there by our name is another process's, not to be cleaned up
	// after an error.
	marks, err := acc.marks(ctx)
	if err == nil && slices.ContainsFunc(marks, func(m mark) bool { return m.Prefix == h.Prefix }) {
		err = fmt.Errorf("the databases %s… are there already", h.Prefix)
	}
	if err != nil {
		return nil, fmt.Errorf("use the server %s: %w", at, err)
	}
	err = acc.mark(ctx, mark{Prefix: h.Prefix, Owner: owner.Self(), Expires: spec.Expires, Keep: spec.Keep})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		err = errors.Join(err, p.Destroy(ctx, h))
		return nil, fmt.Errorf("use the server %s: %w", at, err)
	}
	return p.target(h, l), nil
}

// Attach finds the databases of an earlier process again.
func (p *Provisioner) Attach(ctx context.Context, h snapshot.Handle) (*snapshot.Target, error) {
	acc, at, err := p.back(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("attach to the server: %w", err)
	}
	defer acc.close()
	marks, err := acc.marks(ctx)
	if err != nil {
		return nil, fmt.Errorf("attach to the server %s: %w", at, err)
	}
	for _, m := range marks {
		if m.Prefix == h.Prefix {
			l, err := acc.look(ctx)
			if err != nil {
				return nil, fmt.Errorf("attach to the server %s: %w", at, err)
			}
			return p.target(h, l), nil
		}
	}
	return nil, fmt.Errorf("attach to the server %s: the databases %s… are gone", at, h.Prefix)
}

func (p *Provisioner) target(h snapshot.Handle, l looked) *snapshot.Target {
	t := &snapshot.Target{
		Kind: p.Kind(), Version: l.Version, Host: h.Host, Port: h.Port, User: h.User, Password: h.Password,
		Params: h.Params, Prefix: h.Prefix, Lacks: l.Lacks, Handle: h,
		Detail: fmt.Sprintf("%s, which others may use at the same time; databases %s*", addressOf(h), h.Prefix),
	}
	t.Tools = &tools{path: p.opt.Path, target: t}
	var once sync.Mutex
	done := false
	t.Close = func(ctx context.Context) error {
		once.Lock()
		defer once.Unlock()
		if done {
			return nil
		}
		err := p.Destroy(ctx, h)
		done = err == nil
		return err
	}
	return t
}

// Destroy drops the run's databases and accounts; the server stays as it was.
func (p *Provisioner) Destroy(ctx context.Context, h snapshot.Handle) error {
	if !ourPrefix.MatchString(h.Prefix) {
		return fmt.Errorf("drop our databases: %q is no prefix of this tool's", h.Prefix)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	acc, at, err := p.back(ctx, h)
	if err != nil {
		return fmt.Errorf("drop our databases: %w", err)
	}
	defer acc.close()
	if err := acc.remove(ctx, h.Prefix); err != nil {
		return fmt.Errorf("drop the databases %s… on %s: %w", h.Prefix, at, err)
	}
	return nil
}

// patience is how long removing may take.
const patience = 25 * time.Second

// Reap drops what runs left on this server whose process is gone, or whose time
// is up where their process cannot be looked up from here.
func (p *Provisioner) Reap(ctx context.Context) ([]string, error) {
	acc, at, _, err := p.admit(ctx, "", "")
	if err != nil {
		return nil, nil // the offer says why
	}
	defer acc.close()
	marks, err := acc.marks(ctx)
	if err != nil {
		return nil, fmt.Errorf("reap databases on %s: %w", at, err)
	}
	var reaped []string
	var errs []error
	for _, m := range marks {
		why := m.orphaned(time.Now())
		if why == "" || !ourPrefix.MatchString(m.Prefix) {
			continue
		}
		if err := acc.remove(ctx, m.Prefix); err != nil {
			errs = append(errs, fmt.Errorf("drop the databases %s… on %s: %w", m.Prefix, at, err))
			continue
		}
		reaped = append(reaped, fmt.Sprintf("databases %s* on %s (%s)", m.Prefix, at, why))
	}
	return reaped, errors.Join(errs...)
}

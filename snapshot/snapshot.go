// Package snapshot holds the vocabulary of restored state: where a snapshot
// comes from (Source), what it contains (Manifest), the ephemeral server a run
// made for it (Target), and a database's structure and its difference to
// another (Schema, Change).
//
// It is a leaf of plain data and pure functions. Restoring, reading catalogues
// and provisioning servers live in its sub-packages, one per engine and one
// per kind of target.
package snapshot

import (
	"context"
	"io"
	"time"
)

// Source is a stored copy of a database.
type Source struct {
	Path string `json:"source"`
	// Engine it was taken from: "postgres", "mysql", "mariadb"; "" unknown.
	Engine string `json:"engine,omitempty"`
	// Format by content, as the Format constants name it.
	Format string `json:"format"`
	// Compression around the format: "", "gzip", "zstd", "lz4", "xz", "bzip2".
	Compression string `json:"compression,omitempty"`
	// Member is the file or folder within a tar archive that holds the dump; "."
	// is the archive as a whole.
	Member string `json:"member,omitempty"`
	// Database is the one to restore of a dump of a whole cluster (pg_dumpall);
	// "" where the dump is of one alone.
	Database string `json:"database,omitempty"`
	// Parts are the dumps that make up the snapshot, in the order of restoring,
	// where they are several.
	Parts []Part `json:"parts,omitempty"`
	// Ignored lists files beside the dumps that are no dumps (README.md).
	Ignored []string `json:"-"`
	// Unpacked is the size of the SQL and the rows in it, bytes, without any
	// compression: counted where Open has unpacked it, else estimated.
	Unpacked int64 `json:"-"`
	// WantSHA256 is the digest asked for by #sha256=, lower-case hex.
	WantSHA256 string `json:"-"`
	SHA256     string `json:"sha256"`
	Size       int64  `json:"size"` // of the file, bytes
	// ServerVersion the dump was taken from ("15.18"), where it says so.
	ServerVersion string `json:"server_version,omitempty"`
	// DumpVersion is the version of the tool that wrote it, where it says so.
	DumpVersion string `json:"dump_version,omitempty"`
}

// Roles of a Part. What pg_dump writes of a section is of the role that has it.
const (
	RoleGlobals = "globals"   // roles and their memberships, pg_dumpall --globals-only
	RoleSchema  = "schema"    // --schema-only, or --section=pre-data
	RoleData    = "data"      // --data-only, or --section=data
	RolePost    = "post-data" // --section=post-data: indexes, constraints, triggers
	RoleWhole   = "whole"     // schema and rows
)

// Part is one of several dumps that make up a snapshot.
type Part struct {
	Source
	Role string `json:"role"`
}

// Manifest is what a baseline holds after the restore.
type Manifest struct {
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// Skipped lists what the restore tolerated: roles, definers, tablespaces, ACLs.
	Skipped []string `json:"skipped,omitempty"`
}

// Spec is what a run wants of a provisioner.
type Spec struct {
	// Run identifies this run; it labels everything that is made.
	Run string
	// Engine wanted: "postgres", "mysql" or "mariadb"; "" means postgres.
	Engine string
	// Version wanted: a major as snapshot.Series spells it ("16", "8.4"), or ""
	// for the newest that can be had.
	Version string
	// Image for containers, "" for the default of the version.
	Image string
	// Expires is when any later start of the tool may destroy the target.
	Expires time.Time
	// Keep says that the target outlives this process (until Expires).
	Keep bool
	// Bytes of disk the restored data will take, estimated; 0 if unknown.
	Bytes int64
	// Settings for the server's configuration, from the engine.
	Settings map[string]string
}

// Offer is a provisioner's answer: what it would start, or why it cannot.
type Offer struct {
	OK      bool
	Kind    string // "container", "local", "embedded", "server"
	Version string // the server's version, as exact as it is known beforehand
	// Exact is false where Version is not the major that was wanted.
	Exact bool
	// Detail says what serves it ("server binaries 16.4 in /usr/lib/postgresql/16/bin"),
	// or why nothing can ("no Docker engine answers on unix:///var/run/docker.sock").
	Detail string
	// Looked is where nothing was found, for those who expected something there.
	Looked string
	// Help is what to install where nothing was found; "" where that is plain.
	// Of kind "server" it is the whole of the next step.
	Help string
	// Lacks is what stays unmeasured on this server, as in Target. Where OK is
	// false, it is why nothing can be run on it at all: the server is fine and
	// the account may not make databases. Proofs that need no server still hold.
	Lacks []Lack
	// Place is the provisioner's own: an image's name, a directory of binaries.
	Place string
}

// Provisioner makes ephemeral servers of one kind.
type Provisioner interface {
	// Kind as --target spells it.
	Kind() string
	// Offer looks without changing anything but caches.
	Offer(ctx context.Context, spec Spec) Offer
	// Provision starts the server of an offer and waits until it answers.
	Provision(ctx context.Context, spec Spec, offer Offer) (*Target, error)
	// Attach finds a target again that an earlier process left running.
	Attach(ctx context.Context, h Handle) (*Target, error)
	// Destroy stops and removes the server behind a handle; gone already is
	// no error.
	Destroy(ctx context.Context, h Handle) error
	// Reap destroys what earlier runs left behind: their process is gone and
	// they were not kept, or their time is up. It returns what it removed.
	Reap(ctx context.Context) ([]string, error)
}

// Handle is how a target is found again by another process; plain data.
type Handle struct {
	Kind    string    `json:"kind"`
	Run     string    `json:"run"`
	ID      string    `json:"id"` // container id, or scratch directory
	Host    string    `json:"host"`
	Port    int       `json:"port"`
	Expires time.Time `json:"expires"`
	// Password of the administrator: the file that holds a Handle is 0600.
	Password string `json:"password"`
	// Bin is the directory of server binaries (local, embedded).
	Bin string `json:"bin,omitempty"`
	// Engine as in Spec; "" means postgres.
	Engine string `json:"engine,omitempty"`
	Image  string `json:"image,omitempty"`
	// User, Params and Prefix as in Target, of a server that somebody else runs;
	// Database is the one that its URL names, to get in by.
	User     string `json:"user,omitempty"`
	Database string `json:"database,omitempty"`
	Params   string `json:"params,omitempty"`
	Prefix   string `json:"prefix,omitempty"`
}

// Target is an ephemeral server that this run created and will destroy, or its
// own databases on a server that somebody else runs (kind "server").
type Target struct {
	Kind    string
	Version string // "16.4", as the server says
	// Detail says what serves it and, where --target auto did the picking, why
	// the others do not.
	Detail   string
	Host     string
	Port     int
	User     string // the administrator's name ("postgres", "root")
	Password string
	Tools    Tools
	Handle   Handle
	// Instances is nil where one server holds every database (PostgreSQL, and
	// any server that somebody else runs).
	Instances Instances
	// Prefix of every database and account that this run makes, where the server
	// is somebody else's and holds other things; "" on a server of our own.
	// Prefix + Home is a database that the provisioner made: it is first to come
	// and last to go, and is where sessions belong that work on no other.
	Prefix string
	// Params are further parameters of the connection as in a URL's query
	// ("sslmode=require"), as the user gave them.
	Params string
	// Lacks is what the account may not do here, and so what stays unmeasured.
	Lacks []Lack
	// Restart stops the server cleanly, which ends every session on it, and starts
	// it again on its port, with settings on top of the Spec's; none brings back
	// what Provision had started. It is nil where that is nobody's to do.
	Restart func(ctx context.Context, settings map[string]string) error
	// Close stops and removes the server. It works on a context of its own
	// where the caller's is done, and may be called twice.
	Close func(ctx context.Context) error
}

// Home is the name, behind a Target's Prefix, of the database by which the
// reaper knows a run. Nothing else may be called that.
const Home = "gate"

// LackLocks is what a Lack says where the server's lock table cannot be read: a
// walk then runs without an observer.
const LackLocks = "locks"

// Lack is one thing that cannot be done or seen on a server, and why.
type Lack struct {
	What   string // "locks", "a restore by the owner's account", …
	Why    string // "the account ci may not read performance_schema.metadata_locks"
	Remedy string // "GRANT SELECT ON performance_schema.* TO ci"
}

// Tools runs client programs of the server's own version (pg_restore, mysqldump),
// where the server is.
type Tools interface {
	// Run starts one program and waits. The connection's environment (host,
	// port, user, password) is set; name is bare ("pg_restore"). In its error's
	// chain is an *ExitError where the program said no, and ErrNoTool where it
	// is missing.
	Run(ctx context.Context, name string, args []string, stdin io.Reader, stdout, stderr io.Writer) error
	// Share makes a local file readable to those programs and returns its
	// path there, and a function that takes it away again.
	Share(ctx context.Context, path string) (string, func(), error)
	// Free returns the free bytes where the server keeps its data.
	Free(ctx context.Context) (int64, error)
}

// Instances are several servers within one target, each on a data directory of
// its own: how an engine makes clones that cannot copy a database by itself
// (MySQL). Names are short, lower-case words. The target's first instance is
// FirstInstance, and runs when Provision returns; Target.Host and Port are its.
type Instances interface {
	// Start starts the server on an instance's data directory, with settings
	// on top of the Spec's, waits until it answers, and returns where. Started
	// already is no error; its settings then stay as they are.
	Start(ctx context.Context, name string, settings map[string]string) (host string, port int, err error)
	// Stop shuts an instance's server down cleanly and waits until it is gone;
	// stopped already is no error.
	Stop(ctx context.Context, name string) error
	// Copy makes the data directory of a stopped instance once more, under a
	// name that is not there yet.
	Copy(ctx context.Context, from, to string) error
	// Remove ends an instance's server, cleanly or not, and deletes its data;
	// gone already is no error.
	Remove(ctx context.Context, name string) error
	// Size of an instance's data directory, bytes.
	Size(ctx context.Context, name string) (int64, error)
}

// FirstInstance is the name of a target's first instance.
const FirstInstance = "base"

package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// templates keeps freshly initialised data directories between runs, for
// initialising takes MySQL two seconds and PostgreSQL a third of one, and
// copying a tenth of that. What is in there has no administrator's password yet
// and, of MySQL, no server's identity. PostgreSQL's system identifier is the same
// in all copies: it tells apart the servers of one replication and their log
// archives, and these have neither. It only ever saves time: whatever goes wrong
// with it, a directory is made anew.
type templates string // a directory; "" for none

// unused templates are deleted after this time.
const unused = 30 * 24 * time.Hour

// forLife are the beginnings of options that a data directory is made with,
// where all others may differ from one start to the next.
var forLife = []string{
	"lower-case-table-names", "innodb-page-size", "innodb-data-", "innodb-undo-", "innodb-file-", "innodb-checksum-",
	"innodb-encrypt", "innodb-compress", "innodb-directories", "table-encryption-", "default-", "character-set-",
	"collation-", "authentication-", "explicit-defaults-", "sql-mode", "aria-", "plugin-",
}

// lifelong are the settings that a data directory of MySQL is made with.
func lifelong(settings map[string]string) (of []string) {
	for _, option := range options(settings) { // in order
		bare := strings.TrimPrefix(strings.TrimPrefix(option, "--"), "loose-")
		if slices.ContainsFunc(forLife, func(p string) bool { return strings.HasPrefix(bare, p) }) {
			of = append(of, option)
		}
	}
	return of
}

// of names the template for a server program and whatever else a data directory
// depends on; "" where none can be kept.
func (t templates) of(program string, depends []string) string {
	if t == "" {
		return ""
	}
	info, err := os.Stat(program)
	if err != nil {
		return ""
	}
	key := append([]string{program, stamp(info)}, depends...)
	sum := sha256.Sum256([]byte(strings.Join(key, "\x00")))
	return filepath.Join(string(t), hex.EncodeToString(sum[:8]))
}

// stamp changes when a file does.
func stamp(info fs.FileInfo) string { return fmt.Sprint(info.Size(), info.ModTime().UnixNano()) }

// check makes the directory, or refuses one that somebody else can write to.
func (t templates) check() error {
	if err := os.MkdirAll(filepath.Dir(string(t)), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(string(t), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(string(t))
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a directory of this user's alone", t)
	}
	return nil
}

// take copies a template to a place where nothing is yet.
func (t templates) take(ctx context.Context, template, data string, as *syscall.Credential) bool {
	if template == "" || t.check() != nil || !exists(template) {
		return false
	}
	now := time.Now()
	_ = os.Chtimes(template, now, now)
	if copyTree(ctx, template, data, as) != nil {
		_ = os.RemoveAll(data)
		return false
	}
	return true
}

// discard deletes a template, under another name: whoever copies it at this
// moment finds that it is gone, and not one with half of its files.
func (t templates) discard(template string) {
	aside := filepath.Join(string(t), ".old-"+random(4))
	if os.Rename(template, aside) == nil {
		_ = os.RemoveAll(aside)
	}
}

// keep makes a template of a data directory that no server has run on, and
// deletes what nobody used for long.
func (t templates) keep(ctx context.Context, template, data string) {
	if template == "" || t.check() != nil {
		return
	}
	aside := filepath.Join(string(t), ".new-"+random(4))
	if copyTree(ctx, data, aside, nil) != nil || os.Rename(aside, template) != nil { // another run may have been quicker
		_ = os.RemoveAll(aside)
	}
	entries, _ := os.ReadDir(string(t))
	for _, e := range entries {
		limit := unused
		if strings.HasPrefix(e.Name(), ".") {
			limit = time.Hour // left by a run that was killed
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > limit {
			t.discard(filepath.Join(string(t), e.Name()))
		}
	}
}

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
// initialising takes MySQL two seconds and copying a tenth of one. What is in
// there has no administrator's password yet and no server's identity. It only
// ever saves time: whatever goes wrong with it, a directory is made anew.
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

// of names the template for a server program and settings; "" where none can
// be kept.
func (t templates) of(program string, settings map[string]string) string {
	if t == "" {
		return ""
	}
	info, err := os.Stat(program)
	if err != nil {
		return ""
	}
	key := []string{program, fmt.Sprint(info.Size(), info.ModTime().UnixNano())}
	for _, option := range options(settings) { // in order
		bare := strings.TrimPrefix(strings.TrimPrefix(option, "--"), "loose-")
		if slices.ContainsFunc(forLife, func(p string) bool { return strings.HasPrefix(bare, p) }) {
			key = append(key, option)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(key, "\x00")))
	return filepath.Join(string(t), hex.EncodeToString(sum[:8]))
}

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
	if copyTree(ctx, template, data, as) != nil {
		_ = os.RemoveAll(data)
		return false
	}
	now := time.Now()
	_ = os.Chtimes(template, now, now)
	return true
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
			_ = os.RemoveAll(filepath.Join(string(t), e.Name()))
		}
	}
}

package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// magics are what dumps begin with: who has less was cut off.
var magics = []string{archive.Magic, "--\n" + string(pgDump), "--\n" + string(pgAll), "-- MySQL dump", "/*M!999999", "BZh", "\x28\xb5\x2f\xfd", "\x04\x22\x4d\x18", "\xfd7zXZ\x00"}

// foreign names what a file is that is neither an archive nor SQL.
func foreign(head []byte) error {
	has := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	repack := func(name, tool string) error {
		return fmt.Errorf("is compressed with %s, which is not read; repack it: %s | zstd > FILE.zst", name, tool)
	}
	encrypted := func(name, tool string) error {
		return fmt.Errorf("is encrypted with %s; decrypt it first: %s", name, tool)
	}
	for _, magic := range magics {
		if len(head) < len(magic) && strings.HasPrefix(magic, string(head)) {
			return archive.ErrTruncated
		}
	}
	if len(head) < 10 && has("BZh") {
		return archive.ErrTruncated
	}
	switch {
	case has("PK\x03\x04"):
		return repack("zip", "unzip -p FILE")
	case has("7z\xbc\xaf\x27\x1c"):
		return repack("7-Zip", "7z x -so FILE")
	case has("\x1f\x9d"):
		return repack("compress", "uncompress -c FILE")
	case has("LZIP"):
		return repack("lzip", "lzip -dc FILE")
	case has("\x89LZO\x00"):
		return repack("lzop", "lzop -dc FILE")
	case has("\xff\x06\x00\x00sNaPpY"):
		return repack("Snappy", "snzip -dc FILE")
	case compression(head) != "":
		return errors.New("is compressed twice; unpack it once")
	case has("-----BEGIN PGP MESSAGE"), len(head) > 2 && head[0]&0xfc == 0x84 && head[2] == 3, has("\x8c\x0d\x04"):
		return encrypted("PGP", "gpg --decrypt FILE")
	case has("age-encryption.org/"), has("-----BEGIN AGE ENCRYPTED FILE"):
		return encrypted("age", "age --decrypt FILE")
	case has("Salted__"):
		return encrypted("OpenSSL", "openssl enc -d …")
	case has("SQLite format 3\x00"):
		return errors.New("is an SQLite database")
	case has("\xff\xfe"), has("\xfe\xff"):
		return errors.New("is text in UTF-16, as PowerShell's > writes it; dump with pg_dump --file=FILE or mysqldump --result-file=FILE instead")
	case !isText(head):
		return errors.New("is neither a dump of pg_dump (any format) nor SQL text (pg_dump, mysqldump, mariadb-dump), plain or compressed with gzip, zstd, lz4, xz or bzip2; dump with pg_dump --format=custom or mysqldump")
	}
	return nil
}

// isText takes any 8-bit encoding: a dump may be in LATIN1 or SJIS. Control
// characters and NUL bytes are in none of them.
func isText(head []byte) bool {
	for _, c := range head {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\v' && c != 0x1b {
			return false
		}
	}
	first := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(first) == 0 {
		return true // blanks so far
	}
	// SQL, or a psql command, begins with one of these.
	r, _ := utf8.DecodeRune(first)
	return strings.ContainsRune(`-/\(;`, r) || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// physical names a copy of a server's files by what lies in its folder.
func physical(is func(name string) bool) error {
	for _, name := range []string{"PG_VERSION", "backup_label", "backup_manifest", "base.tar", "base.tar.gz", "base.tar.zst", "base.tar.lz4"} {
		if is(name) {
			return errors.New("is a physical copy of a PostgreSQL server, which is not restored; dump the database with pg_dump --format=custom")
		}
	}
	for _, name := range []string{"ibdata1", "xtrabackup_checkpoints", "mariadb_backup_checkpoints", "backup-my.cnf"} {
		if is(name) {
			return errors.New("is a physical copy of MySQL or MariaDB, which is not restored; dump with mysqldump or mydumper")
		}
	}
	return nil
}

// noDump tells of files that lie beside dumps and are none. Hidden ones are not
// even worth a mention.
func noDump(name string) (is, hidden bool) {
	if strings.HasPrefix(name, ".") || name == "lost+found" || name == "Thumbs.db" {
		return true, true
	}
	upper := strings.ToUpper(name)
	for _, start := range []string{"README", "LICENSE", "SHA256SUM", "SHA512SUM", "MD5SUM", "CHECKSUM"} {
		if strings.HasPrefix(upper, start) {
			return true, false
		}
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".md", ".log", ".sha256", ".sha256sum", ".sha512", ".md5", ".asc", ".sig":
		return true, false
	}
	return false, false
}

func kindOf(m os.FileMode) string {
	switch {
	case m&os.ModeNamedPipe != 0:
		return "pipe"
	case m&os.ModeDevice != 0:
		return "device"
	case m&os.ModeSocket != 0:
		return "socket"
	}
	return "special file"
}

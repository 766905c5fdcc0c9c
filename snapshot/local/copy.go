package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// copyTree copies a stopped server's data directory, for another server to
// start on as that user. Files share their blocks where the file system can
// (io.Copy between files lets the kernel copy); two at a time keep a disk busy
// without taking it over.
func copyTree(ctx context.Context, from, to string, as *syscall.Credential) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if passing(rel, d) {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if d.IsDir() {
			if err := os.Mkdir(dst, info.Mode().Perm()); err != nil {
				return err
			}
			return chown(dst, as)
		}
		g.Go(func() error { return copyFile(ctx, path, dst, info.Mode().Perm(), as) })
		return nil
	})
	if e := g.Wait(); e != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = e
	}
	return err
}

// passing is what a server makes anew at its start: temporary tablespaces, its
// sockets and process files, and MySQL's own identity (server_uuid), of which
// no two servers may have the same.
func passing(rel string, d fs.DirEntry) bool {
	dir, base := filepath.Split(rel)
	switch {
	case d.IsDir():
		return false
	case !d.Type().IsRegular():
		return true
	case strings.HasPrefix(rel, "#innodb_temp"+string(filepath.Separator)):
		return true
	case dir == "":
		return base == "ibtmp1" || base == "auto.cnf" || strings.HasSuffix(base, ".pid") || strings.HasSuffix(base, ".lock")
	}
	return false
}

func copyFile(ctx context.Context, from, to string, mode fs.FileMode, as *syscall.Credential) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer dst.Close()
	// In pieces, so that it ends soon after its context.
	for {
		n, err := io.CopyN(dst, src, 64<<20)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := chown(to, as); err != nil {
		return err
	}
	return dst.Close()
}

func chown(path string, as *syscall.Credential) error {
	if as == nil {
		return nil
	}
	return os.Lchown(path, int(as.Uid), int(as.Gid))
}

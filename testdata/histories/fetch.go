package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fetch returns the directory of a history's migrations, downloading the
// package that ships it once.
func fetch(ctx context.Context, h history, opt options) (string, error) {
	if h.Clone != "" {
		if opt.clones == "" {
			return "", fmt.Errorf("it is read from a clone of %s: put its directory %s at CLONES/%s and name that with --clones", h.Clone, h.Path, h.Name)
		}
		return filepath.Join(opt.clones, h.Name), nil
	}
	if h.Crate != "" {
		dir, err := fetchCrate(ctx, h.Crate)
		return filepath.Join(dir, h.Path), err
	}
	dest := filepath.Join(opt.cache, h.Name)
	source := filepath.Join(dest, "tree", h.Path)
	if _, err := os.Stat(source); err == nil {
		return source, nil
	}
	if err := os.RemoveAll(dest); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return "", err
	}
	var err error
	switch {
	case h.NPM != "":
		err = command(ctx, dest, "npm", "pack", "--silent", h.NPM)
	case h.PyPI != "":
		err = command(ctx, dest, "pip", "download", "--quiet", "--no-deps", strings.ReplaceAll(h.PyPI, "@", "=="))
	case h.Maven != "":
		err = command(ctx, dest, "mvn", "-q", "-B", "dependency:copy", "-Dartifact="+h.Maven, "-DoutputDirectory="+dest, "-Dtransitive=false")
	default:
		err = fmt.Errorf("histories.yml does not say where it comes from")
	}
	if err != nil {
		return "", err
	}
	return source, unpack(ctx, dest)
}

// unpack unpacks the one archive in a directory into its "tree".
func unpack(ctx context.Context, dest string) error {
	archives, err := filepath.Glob(filepath.Join(dest, "*.*"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("the client left %d files in %s where one package was expected", len(archives), dest)
	}
	tree := filepath.Join(dest, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	if strings.HasSuffix(archives[0], ".tgz") {
		return command(ctx, tree, "tar", "-xzf", archives[0], "--strip-components=1")
	}
	return command(ctx, tree, "unzip", "-qo", archives[0])
}

// fetchCrate has cargo unpack a crate, which it does to tell about it, and finds it in cargo's home.
func fetchCrate(ctx context.Context, crate string) (string, error) {
	home := os.Getenv("CARGO_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		home = filepath.Join(user, ".cargo")
	}
	pattern := filepath.Join(home, "registry", "src", "*", strings.ReplaceAll(crate, "@", "-"))
	found, err := filepath.Glob(pattern)
	if err == nil && len(found) == 0 {
		if err = command(ctx, "", "cargo", "info", "--quiet", crate); err == nil {
			found, err = filepath.Glob(pattern)
		}
	}
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("cargo info %s left nothing at %s", crate, pattern)
	}
	return found[0], nil
}

// command runs a program and has its error say what the program said.
func command(ctx context.Context, dir, name string, args ...string) error {
	_, err := output(ctx, dir, name, args...)
	return err
}

func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out, both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &both
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(both.String() + out.String())
		return out.Bytes(), fmt.Errorf("%s: %w: %s", name, err, said)
	}
	return out.Bytes(), nil
}

// copyFile copies a file, with the history's replacements.
func copyFile(from, to string, replace map[string]string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	for old, new := range replace {
		text = bytes.ReplaceAll(text, []byte(old), []byte(new))
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, fs.FileMode(0o644))
}

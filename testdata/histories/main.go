// Command histories replays the migration histories of real projects as pull
// requests: for each k the base holds the first k-1 migrations and the change is
// the k-th, tried on a dump of a database that the layout's own tool brought to
// k-1. The same tool then applies the k-th, and what it says is held against
// the gate's verdict.
//
// The histories are read from public packages (histories.yml names them) by
// their registries' ordinary clients, or from clones; none is in this
// repository. It judges nothing by itself: the reports it leaves are for people
// to read.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "histories:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	gate := flag.String("gate", "bin/migration-gate", "the binary to try")
	manifest := flag.String("manifest", "testdata/histories/histories.yml", "the list of histories")
	only := flag.String("only", "", "names of histories, separated by commas; empty for all")
	clones := flag.String("clones", "", "directory with a directory of migrations for each history that is read from a clone, by its name")
	out := flag.String("out", "", "directory that gets every report (default: a new temporary one)")
	first := flag.Int("first", 1, "first step to gate; those before are only applied")
	last := flag.Int("last", 0, "last step (0: all)")
	major := flag.String("server-version", "15", "major version of the server")
	flag.Parse()

	list, err := readManifest(*manifest)
	if err != nil {
		return err
	}
	if list, err = choose(list, *only); err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	cache = filepath.Join(cache, "migration-gate-histories")
	if *out == "" {
		if *out, err = os.MkdirTemp("", "histories-"); err != nil {
			return err
		}
	}
	binary, err := filepath.Abs(*gate)
	if err != nil {
		return err
	}
	srv, err := startServer(ctx, *major)
	if err != nil {
		return err
	}
	defer srv.close()

	var results []result
	var failed []error
	for _, h := range list {
		r, err := replayOne(ctx, srv, h, options{gate: binary, cache: cache, clones: *clones, out: filepath.Join(*out, h.Name), first: *first, last: *last})
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			failed = append(failed, fmt.Errorf("%s: %w", h.Name, err))
			fmt.Fprintln(os.Stderr, "histories:", h.Name+":", err)
			continue
		}
		results = append(results, r)
		if err := os.WriteFile(filepath.Join(*out, "table.md"), []byte(table(results)), 0o644); err != nil {
			return err
		}
	}
	fmt.Print(table(results))
	fmt.Print(disagreements(results))
	fmt.Println("\nreports:", *out)
	for _, r := range results {
		if n := r.crashes + r.errors + r.wrongReds + r.wrongGreens + r.wrongDowns; n > 0 {
			failed = append(failed, fmt.Errorf("%s: %d steps where the gate crashed, could not decide, or disagrees with %s", r.history.Name, n, r.history.toolName()))
		}
	}
	return errors.Join(failed...)
}

type options struct {
	gate, cache, clones, out string
	first, last              int
}

func choose(list []history, names string) ([]history, error) {
	if names == "" {
		return list, nil
	}
	var out []history
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, h := range list {
			if h.Name == name {
				out, found = append(out, h), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no history is called %q", name)
		}
	}
	return out, nil
}

// replayOne fetches a history and replays it in a directory that is gone
// afterwards.
func replayOne(ctx context.Context, srv *server, h history, opt options) (result, error) {
	source, err := fetch(ctx, h, opt)
	if err != nil {
		return result{}, fmt.Errorf("fetch: %w", err)
	}
	work, err := os.MkdirTemp("", "history-"+h.Name+"-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(opt.out, 0o755); err != nil {
		return result{}, err
	}
	steps, err := readSteps(source, h)
	if err != nil {
		return result{}, err
	}
	return replay(ctx, srv, h, steps, work, opt)
}

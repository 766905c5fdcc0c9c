package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// result is what the replay of one history comes to.
type result struct {
	history           history
	steps, files      int
	statements, known int // up and down; those the grammar knew
	verdicts          map[string]int
	rules             map[string]int // steps with a finding of the rule that fails a run
	crashes, errors   int
	toolFailed        int // steps that the layout's own tool refuses
	wrongReds         int // migration-failed where the tool succeeds
	wrongGreens       int // no migration-failed where the tool fails
	downs             int // down scripts that both ran
	wrongDowns        int // down-failed where the tool succeeds, or the reverse
	wrongDrifts       int // down-drift where the dumped schemas hold the same, or the reverse
	explained         int // disagreements that histories.yml gives a reason for
	disagreements     []string
	took              time.Duration
}

// report is what is read of the gate's.
type report struct {
	Verdict  string
	Reason   string
	Findings []struct {
		Rule, Severity, File, Message string
		Line                          int
	}
	Observation struct {
		Migrations []struct {
			Up       script
			Down     *script
			Reversed *struct{ Failure *struct{ Message string } }
		}
		Unmeasured []struct{ What, Why string }
	}
}

type script struct {
	Statements []struct {
		Line  int
		Facts struct {
			Analysed    bool
			NotAnalysed string `json:"not_analysed"`
		}
	}
}

// directory of migrations in the repository that is replayed.
const directory = "migrations"

// replay runs the pull requests of one history, in order.
func replay(ctx context.Context, srv *server, h history, steps []step, work string, opt options) (result, error) {
	r := result{history: h, verdicts: map[string]int{}, rules: map[string]int{}}
	begun := time.Now()
	repo := filepath.Join(work, "repo")
	database := "history_" + strings.ReplaceAll(h.Name, "-", "_")
	if err := prepare(ctx, srv, h, repo, database); err != nil {
		return r, err
	}
	defer func() {
		_, _ = srv.sql(context.WithoutCancel(ctx), "postgres", "DROP DATABASE "+database+" WITH (FORCE)")
	}()
	tool, err := newStepper(ctx, srv, h, opt.cache, filepath.Join(repo, directory), database)
	if err != nil {
		return r, fmt.Errorf("install the tool: %w", err)
	}
	defer tool.close()
	for i, s := range steps {
		k := i + 1
		if opt.last > 0 && k > opt.last {
			break
		}
		if _, err := srv.sql(ctx, database, h.Before[s.key]); err != nil {
			return r, fmt.Errorf("before %s: %w", s.key, err)
		}
		snapshot := filepath.Join(work, "snapshot.dump")
		if k >= opt.first {
			// Nobody has a dump of nothing.
			holds, err := srv.sql(ctx, database, "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace) OR EXISTS (SELECT FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema'))")
			if err != nil {
				return r, err
			}
			if holds != "t" || h.NoDump != "" {
				snapshot = ""
			} else if err := srv.dump(ctx, database, snapshot); err != nil {
				return r, err
			}
		}
		if err := commit(ctx, repo, h, s); err != nil {
			return r, err
		}
		if k < opt.first {
			if err := tool.up(ctx, s); err != nil {
				fmt.Fprintf(os.Stderr, "%s %d/%d %s: %s fails: %v\n", h.Name, k, len(steps), s.key, h.toolName(), err)
				if err := tool.skip(ctx, s); err != nil {
					return r, err
				}
			}
			continue
		}
		r.steps++
		r.files += len(s.files)
		before, err := srv.schema(ctx, database)
		if err != nil {
			return r, err
		}
		out := filepath.Join(opt.out, fmt.Sprintf("%03d", k))
		rep, code, said := check(ctx, srv, h, opt.gate, repo, snapshot, out)
		toolErr := tool.up(ctx, s)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		r.count(s, k, rep, code, said, toolErr)
		fmt.Fprintf(os.Stderr, "%s %d/%d %s: %s%s\n", h.Name, k, len(steps), s.key, rep.Verdict, failedNote(toolErr))
		if toolErr == nil {
			if err := r.reverse(ctx, srv, s, k, rep, database, before, repo, opt); err != nil {
				return r, err
			}
		}
		if toolErr != nil {
			if err := os.WriteFile(out+".tool", []byte(toolErr.Error()+"\n"), 0o644); err != nil {
				return r, err
			}
			if err := tool.skip(ctx, s); err != nil {
				return r, fmt.Errorf("go on after %s, which %s refuses: %w", s.key, h.toolName(), err)
			}
		}
	}
	r.took = time.Since(begun)
	return r, nil
}

func failedNote(err error) string {
	if err == nil {
		return ""
	}
	return " (the tool fails, too)"
}

// prepare makes the database that the tool migrates, and the repository.
func prepare(ctx context.Context, srv *server, h history, repo, database string) error {
	for _, role := range h.Roles {
		_, _ = srv.sql(ctx, "postgres", fmt.Sprintf("CREATE ROLE %q", role)) // of an earlier history, perhaps
	}
	if _, err := srv.sql(ctx, "postgres", "DROP DATABASE IF EXISTS "+database+" WITH (FORCE)"); err != nil {
		return err
	}
	if _, err := srv.sql(ctx, "postgres", "CREATE DATABASE "+database); err != nil {
		return err
	}
	if _, err := srv.sql(ctx, database, h.Setup); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(repo, directory), 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"config", "user.name", "histories"},
		{"config", "user.email", "histories@example.org"},
		{"commit", "-q", "--allow-empty", "-m", "an empty repository"},
	} {
		if err := command(ctx, repo, "git", args...); err != nil {
			return err
		}
	}
	return nil
}

// commit adds one step's files as a commit of their own.
func commit(ctx context.Context, repo string, h history, s step) error {
	for _, f := range s.files {
		if err := copyFile(filepath.Join(s.root, f), filepath.Join(repo, directory, f), h.Replace); err != nil {
			return err
		}
	}
	if err := command(ctx, repo, "git", "add", "-A"); err != nil {
		return err
	}
	return command(ctx, repo, "git", "commit", "-q", "-m", s.key)
}

// check gates the last commit. code is the exit code, said what came on
// standard error.
func check(ctx context.Context, srv *server, h history, gate, repo, snapshot, out string) (rep report, code int, said string) {
	args := append([]string{"check", "--dir", directory, "--layout", h.Layout, "--base", "HEAD~1", "--head", "HEAD",
		"--target", "server",
		"--format", "json=" + out + ".json", "--format", "text=" + out + ".txt"}, h.Args...)
	if snapshot != "" {
		args = append(args, "--snapshot", snapshot)
	}
	if h.Transaction != "" {
		args = append(args, "--transaction", h.Transaction)
	}
	cmd := exec.CommandContext(ctx, gate, args...)
	cmd.Dir = repo
	// Nothing of a CI that runs this program itself.
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GITHUB_") && !strings.HasPrefix(e, "CI") && !strings.HasPrefix(e, "MIGRATION_GATE_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "MIGRATION_GATE_DATABASE_URL="+srv.url("postgres"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		return rep, -1, err.Error()
	}
	text, err := os.ReadFile(out + ".json")
	if err == nil {
		err = json.Unmarshal(text, &rep)
	}
	if err != nil {
		rep.Verdict, rep.Reason = "error", lastLines(strings.TrimSpace(stderr.String()))
	}
	if code != 0 && code != 1 {
		_ = os.WriteFile(out+".stderr", stderr.Bytes(), 0o644)
	}
	return rep, code, stderr.String()
}

// count books one step.
func (r *result) count(s step, k int, rep report, code int, said string, toolErr error) {
	r.verdicts[rep.Verdict]++
	disagree := func(format string, args ...any) {
		r.disagreements = append(r.disagreements, fmt.Sprintf("%s %03d %s: ", r.history.Name, k, s.key)+fmt.Sprintf(format, args...))
	}
	refused := ""
	seen := map[string]bool{}
	for _, f := range rep.Findings {
		if f.Rule == "migration-failed" {
			refused = fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
		}
		if f.Severity == "error" && !seen[f.Rule] {
			seen[f.Rule] = true
			r.rules[f.Rule]++
		}
	}
	for _, m := range rep.Observation.Migrations {
		for _, part := range []*script{&m.Up, m.Down} {
			if part == nil {
				continue
			}
			for _, st := range part.Statements {
				r.statements++
				if st.Facts.Analysed {
					r.known++
				}
			}
		}
	}
	if toolErr != nil {
		r.toolFailed++
	}
	// Of a script that cannot be read nothing runs.
	switch {
	case code != 0 && code != 1 && strings.Contains(said, "internal error"):
		r.crashes++
		disagree("crash: %s", lastLines(said))
	case code != 0 && code != 1 || rep.Verdict == "error":
		r.errors++
		disagree("error: %s", rep.Reason)
	case (refused != "") != (toolErr != nil) && r.history.Explained[s.key] != "":
		r.explained++
	case refused != "" && toolErr == nil:
		r.wrongReds++
		disagree("the gate says %s; %s runs it", refused, r.history.toolName())
	case refused == "" && toolErr != nil:
		r.wrongGreens++
		disagree("the gate lets it pass (%s); %s says %s", rep.Verdict, r.history.toolName(), toolErr)
	}
}

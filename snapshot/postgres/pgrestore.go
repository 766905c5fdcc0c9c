package postgres

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// cannotRead: this pg_restore is older than the archive.
type cannotRead struct{ message string }

func (e *cannotRead) Error() string { return e.message }

// pgRestore runs pg_restore in parallel jobs and tells what it may ignore from
// what it may not.
func (r *restore) pgRestore(ctx context.Context, a *archive.Archive) error {
	file, remove, err := r.unpacked(ctx)
	if err != nil {
		return err
	}
	defer remove()
	path, unshare, err := r.s.target.Tools.Share(ctx, file)
	if err != nil {
		return fmt.Errorf("give the snapshot to pg_restore: %w", err)
	}
	defer unshare()
	stop := r.watch(ctx)
	defer stop()

	entries, apart := a.Entries, []archive.Entry(nil)
	if r.s.guest() || reachesOut(a) {
		entries, apart = delicate(a, r.s.guest())
	}
	if slices.ContainsFunc(a.Entries, func(e archive.Entry) bool { return isRefresh(&e) }) {
		entries, apart = listenersLast(entries, apart)
	}
	first, later := r.stages(entries)
	r.track.stage(stageRows)
	if err := r.runRestore(ctx, path, first, len(first) < len(a.Entries), r.setup()); err != nil {
		return err
	}
	if len(later) > 0 {
		if err := r.beforeChecks(ctx); err != nil {
			return err
		}
		if err := r.runRestore(ctx, path, later, true, r.setup(checking...)); err != nil {
			return err
		}
	}
	if len(apart) == 0 {
		return nil
	}
	return r.loading(ctx, func(l *loader) error {
		w := newWire(a)
		w.l = l
		for _, want := range []func(*archive.Entry) bool{isPlain, isACL, isRefresh, isListener} {
			if err := w.pass(ctx, apart, want); err != nil {
				return err
			}
		}
		return nil
	})
}

// runRestore runs pg_restore once: on these entries, or on all there are.
func (r *restore) runRestore(ctx context.Context, path string, entries []archive.Entry, some bool, conninfo string) error {
	tools := r.s.target.Tools
	args := []string{
		"--dbname=" + conninfo, "--no-password", "--role=" + r.s.owner, "--no-owner", "--no-tablespaces",
		"--no-security-labels", "--no-subscriptions", "--jobs=" + strconv.Itoa(r.opt.Jobs), path,
	}
	if r.s.alone() {
		args[2] = "--username=" + r.s.owner
	}
	if some {
		file, remove, err := written(useList(entries))
		if err != nil {
			return fmt.Errorf("tell pg_restore what to restore: %w", err)
		}
		defer remove()
		shared, unshare, err := tools.Share(ctx, file)
		if err != nil {
			return fmt.Errorf("tell pg_restore what to restore: %w", err)
		}
		defer unshare()
		args = append([]string{"--use-list=" + shared}, args...)
	}
	out := &tailBuffer{}
	err := tools.Run(ctx, "pg_restore", args, nil, nil, out)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := out.String()
	if strings.Contains(text, "unsupported version (") || strings.Contains(text, "this build does not support compression") || strings.Contains(text, "this installation does not support compression") {
		return &cannotRead{text}
	}
	failures := parseRestoreErrors(text)
	if err != nil && len(failures) == 0 {
		return fmt.Errorf("pg_restore: %w: %s", err, oneLine(text, 600))
	}
	return r.judge(ctx, failures)
}

// useList is what --use-list reads.
func useList(entries []archive.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%d; %s\n", e.ID, e.Desc)
	}
	return b.String()
}

// grantsServer: privileges on functions that reach the server's files.
func grantsServer(e *archive.Entry) bool {
	return e.Desc == "ACL" && e.Namespace == "pg_catalog" && strings.HasPrefix(e.Tag, "FUNCTION ")
}

// reachesOut: what is restored could connect to another server, in whose stead
// the loader steps in.
func reachesOut(a *archive.Archive) bool {
	return slices.ContainsFunc(a.Entries, func(e archive.Entry) bool {
		return e.Desc == "FOREIGN TABLE" || e.Desc == "USER MAPPING" || grantsServer(&e)
	})
}

// delicate takes out of an archive what could reach another server, and what a
// server that somebody else runs may refuse, for want of a role or of a right.
// Parallel jobs of pg_restore write their complaints into each other's, and run
// all grants of an object or none.
func delicate(a *archive.Archive, guest bool) (rest, apart []archive.Entry) {
	for _, e := range a.Entries {
		about, _, _ := strings.Cut(e.Tag, " ")
		switch {
		case e.Desc == "USER MAPPING", isRefresh(&e), grantsServer(&e):
			apart = append(apart, e)
		case !guest:
			rest = append(rest, e)
		case isACL(&e), isListener(&e), e.Desc == "POLICY", e.Desc == "PUBLICATION", e.Desc == "PUBLICATION TABLE",
			e.Desc == "PUBLICATION TABLES IN SCHEMA", e.Desc == "USER MAPPING", e.Desc == "EXTENSION",
			e.Desc == "COMMENT" && slices.Contains([]string{"POLICY", "PUBLICATION", "EXTENSION"}, about):
			apart = append(apart, e)
		default:
			rest = append(rest, e)
		}
	}
	return rest, apart
}

// listenersLast takes event triggers out of what pg_restore restores.
func listenersLast(entries, apart []archive.Entry) (rest, last []archive.Entry) {
	last = apart
	for _, e := range entries {
		if isListener(&e) {
			last = append(last, e)
		} else {
			rest = append(rest, e)
		}
	}
	return rest, last
}

// written makes a temporary file of a text.
func written(text string) (path string, remove func(), err error) {
	f, err := os.CreateTemp("", "migration-gate-*.list")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.Remove(f.Name()) }
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		remove()
		return "", nil, err
	}
	return f.Name(), remove, nil
}

// judge runs again what only lacked a role or a search path, and lets pass what may be.
func (r *restore) judge(ctx context.Context, failures []restoreError) error {
	var hard []string
	var again []string
	for _, f := range failures {
		if m := noExtension.FindStringSubmatch(f.message); m != nil {
			r.lacks(m[1] + m[2])
			continue
		}
		if (noRole.MatchString(f.message) || lostPath(f.message, f.detail)) && f.command != "" {
			again = append(again, f.command)
			continue
		}
		if reason, ok := r.forgiven(f.message, strings.TrimRight(f.command, "; \n")); ok {
			if reason != "" {
				r.skip(reason)
			}
			continue
		}
		if m := extension.FindStringSubmatch(f.command); m != nil && slices.Contains(r.missing, unquote(m[1])) {
			continue // told before
		}
		code := ""
		if denied.MatchString(f.message) {
			code = "42501"
		}
		if r.s.refused(code, f.message, f.command) != "" {
			again = append(again, f.command) // one by one, and perhaps by the account
			continue
		}
		hard = append(hard, f.String())
	}
	if len(hard) > 0 {
		shown := hard[:min(len(hard), 5)]
		text := strings.Join(shown, "\n")
		if n := len(hard) - len(shown); n > 0 {
			text += fmt.Sprintf("\nand %d more", n)
		}
		return r.explain(errors.New("pg_restore: " + text))
	}
	if len(again) == 0 {
		return nil
	}
	return r.loading(ctx, func(l *loader) error {
		for _, sql := range again {
			if err := l.stream(ctx, newSplitter(bufio.NewReader(strings.NewReader(sql)))); err != nil {
				return err
			}
		}
		return nil
	})
}

// restoreError is one complaint of pg_restore.
type restoreError struct {
	entry, message, detail, command string
}

func (e restoreError) String() string {
	s := e.message
	if e.entry != "" {
		s = e.entry + ": " + s
	}
	if e.detail != "" {
		s += "; " + oneLine(e.detail, 300)
	}
	return s
}

var (
	tocEntry       = lazy.Compile(`^pg_restore: (?:from|in) TOC entry \d+; \d+ \d+ (.*)$`)
	failedLine     = lazy.Compile(`^pg_restore: error: (?:could not execute query: )?(?:ERROR:  )?(.*)$`)
	existingSchema = lazy.Compile(`^schema ".*" already exists$`)
	// denied is what SQLSTATE 42501 reads like: pg_restore shows no codes.
	denied     = lazy.Compile(`^permission denied |^must be |^[Oo]nly (superusers|roles with) `)
	copyFailed = lazy.Compile(`^COPY failed for table "(.*)": ERROR:  (.*)$`)
)

// parseRestoreErrors reads the messages of pg_restore (C locale): an entry, an
// error, more lines on it, and the command.
func parseRestoreErrors(text string) []restoreError {
	var all []restoreError
	entry := ""
	inCommand := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := tocEntry.FindStringSubmatch(line); m != nil {
			entry, inCommand = m[1], false
			if i := strings.LastIndex(entry, " "); i > 0 { // the owner
				entry = entry[:i]
			}
			continue
		}
		if m := failedLine.FindStringSubmatch(line); m != nil {
			e := restoreError{entry: entry, message: m[1]}
			if c := copyFailed.FindStringSubmatch(m[1]); c != nil {
				e.entry, e.message = "TABLE DATA "+c[1], c[2]
			}
			all, inCommand = append(all, e), false
			continue
		}
		if strings.HasPrefix(line, "pg_restore: ") {
			inCommand = false
			continue
		}
		if len(all) == 0 {
			continue
		}
		e := &all[len(all)-1]
		if c, ok := strings.CutPrefix(line, "Command was: "); ok {
			e.command, inCommand = c, true
		} else if inCommand {
			e.command += "\n" + line
		} else {
			e.detail += line + "\n"
		}
	}
	for i := range all {
		all[i].command = strings.TrimSpace(all[i].command)
	}
	return all
}

// tailBuffer keeps the beginning and the end of what is written to it: a
// restore that goes wrong can complain about every object.
type tailBuffer struct{ head, tail bytes.Buffer }

const keep = 4 << 20

func (b *tailBuffer) Write(p []byte) (int, error) {
	if b.head.Len() < keep {
		return b.head.Write(p)
	}
	b.tail.Write(p)
	if b.tail.Len() > keep {
		b.tail.Next(b.tail.Len() - keep/2)
	}
	return len(p), nil
}

func (b *tailBuffer) String() string { return b.head.String() + b.tail.String() }

var (
	granted    = lazy.Compile(`(?m)^(?:GRANT|REVOKE)\s.* (?:TO|FROM) ` + identPattern + `(?: WITH [A-Z ]+)?;$`)
	authorised = lazy.Compile(`(?m)^SET SESSION AUTHORIZATION ` + identPattern)
	forRole    = lazy.Compile(`\bFOR (?:ROLE|USER) ` + identPattern + `.*? (?:TO|FROM) ` + identPattern)
	mappedUser = lazy.Compile(`^CREATE USER MAPPING FOR ` + identPattern)
	policyTo   = lazy.Compile(`(?s)^CREATE POLICY .*? TO (` + identPattern + `(?:, ` + identPattern + `)*)(?: USING \(| WITH CHECK \(|;)`)
	listed     = lazy.Compile(identPattern)
)

// rolesIn lists the roles that an archive names: owners, where they are wanted,
// and those in privileges, policies, user mappings and settings.
func rolesIn(a *archive.Archive, owners bool) []string {
	var roles []string
	add := func(name string) {
		if name = unquote(name); name != "" && !slices.Contains(roles, name) {
			roles = append(roles, name)
		}
	}
	last := ""
	for _, e := range a.Entries {
		if owners && e.Own != "" && e.Own != last { // as is: the owner is not quoted here
			last = e.Own
			if !slices.Contains(roles, last) {
				roles = append(roles, last)
			}
		}
		switch e.Desc {
		case "ACL":
			for _, m := range append(granted.FindAllStringSubmatch(e.Defn, -1), authorised.FindAllStringSubmatch(e.Defn, -1)...) {
				add(m[1])
			}
		case "DEFAULT ACL":
			for _, m := range forRole.FindAllStringSubmatch(e.Defn, -1) {
				add(m[1])
				add(m[2])
			}
		case "USER MAPPING":
			for _, m := range mappedUser.FindAllStringSubmatch(e.Defn, -1) {
				add(m[1])
			}
		case "POLICY":
			if m := policyTo.FindStringSubmatch(e.Defn); m != nil {
				for _, name := range listed.FindAllString(m[1], -1) {
					add(name)
				}
			}
		case "DATABASE PROPERTIES":
			for line := range strings.Lines(e.Defn) {
				if m := roleDatabase.FindStringSubmatch(line); m != nil {
					add(m[1])
				}
			}
		}
	}
	return roles
}

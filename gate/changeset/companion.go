package changeset

import (
	"path"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// companionOf finds the migration whose run a file beside its script decides on
// though it holds no SQL: Flyway's V1__x.sql.conf, diesel's metadata.toml.
func companionOf(name, layout string, own map[string]owner) (owner, bool) {
	switch layout {
	case "flyway":
		if script, ok := strings.CutSuffix(name, ".conf"); ok {
			o, ok := own[script]
			return o, ok
		}
	case "plain":
		if path.Base(name) == "metadata.toml" {
			o, ok := own[path.Join(path.Dir(name), "up.sql")]
			return o, ok
		}
	}
	return owner{}, false
}

// configsOf lists the tool's own files for the directory that differ.
func configsOf(layout migration.Layout, dir string, base, head *tree) []string {
	return differing(layout.ConfigFiles(dir), base, head)
}

// companions tells what happened to the files beside merged migrations that
// decide how they run. Whatever it was, the merged migration was edited by it:
// databases that ran it ran it otherwise.
func companions(layout string, before, after map[string]owner, base, head *tree) ([]gate.FileChange, error) {
	var more []gate.FileChange
	for name := range union(base.files, head.files) {
		o, ok := companionOf(name, layout, before)
		if !ok || base.same(head, name) {
			continue
		}
		if _, still := after[mainFile(o.m)]; !still {
			continue // renamed or deleted with it
		}
		line := 1
		_, was := base.files[name]
		_, is := head.files[name]
		if was && is {
			var err error
			if line, err = firstDifference(base, name, head, name); err != nil {
				return nil, err
			}
			if line == 0 {
				continue
			}
		}
		f := gate.FileChange{Path: name, Status: "edited", FirstLine: line, Merged: true, Version: o.m.Version, Repeatable: o.m.Repeatable}
		if was && !is {
			f.Status, f.FirstLine = "deleted", 0
		}
		more = append(more, f)
	}
	return more, nil
}

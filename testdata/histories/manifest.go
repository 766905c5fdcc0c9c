package main

import (
	"bytes"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
)

// history is an entry of histories.yml.
type history struct {
	Name    string `yaml:"name"`
	Project string `yaml:"project"` // "owner/repository" on GitHub
	Layout  string `yaml:"layout"`
	// One of these says which package ships the migrations, as NAME@VERSION
	// (maven: GROUP:ARTIFACT:VERSION).
	Crate string `yaml:"crate"`
	NPM   string `yaml:"npm"`
	PyPI  string `yaml:"pypi"`
	Maven string `yaml:"maven"`
	// Clone is "owner/repository@commit", for what no registry has.
	Clone string `yaml:"clone"`
	// Path of the migrations within it.
	Path string `yaml:"path"`
	// Setup is SQL for what the project's operators or its program make before
	// the first migration.
	Setup string `yaml:"setup"`
	// Before is SQL for what the project's own program does between its files
	// (migrations in Java or Go), by the key of the step that comes next.
	Before map[string]string `yaml:"before"`
	// Roles that the migrations expect, made on the server.
	Roles []string `yaml:"roles"`
	// Replace stands in for what the project's program does to a text before it
	// sends it.
	Replace map[string]string `yaml:"replace"`
	// Skip lists globs of files that are no migrations.
	Skip []string `yaml:"skip"`
	// Args are further arguments of the gate.
	Args []string `yaml:"args"`
	// Lexical: the project's program sorts names as text.
	Lexical bool `yaml:"lexical"`
	// Transaction of a plain history, as the project's program runs its files:
	// "file", each in a transaction; "statement", one by one; "auto", each as one
	// query.
	Transaction string `yaml:"transaction"`
	// NoDump says why a dump of the database cannot be restored, by pg_restore
	// either; the merged migrations build the baseline then.
	NoDump string `yaml:"no_dump"`
	// Explained says of steps, by key, why the gate and the tool rightly disagree.
	Explained map[string]string `yaml:"explained"`
	// Note is for readers.
	Note string `yaml:"note"`
}

func readManifest(file string) ([]history, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []history
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

func (h history) toolName() string {
	if h.Layout == "plain" {
		return "psql"
	}
	return h.Layout
}

package mysql_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func flavours(t *testing.T) []string { return snapshottest.MySQLFlavours(t) }

// describe lists the differences between a schema and a database, one line
// each.
func describe(t *testing.T, before snapshot.Schema, d *mysql.Database) []string {
	t.Helper()
	after, err := d.Schema(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, c := range snapshot.Diff(before, after) {
		switch {
		case c.Before == nil:
			list = append(list, fmt.Sprintf("%s %s %s", c.What, c.After.Kind, c.After.Name))
		case c.What == "renamed":
			list = append(list, fmt.Sprintf("%s %s %s %s", c.What, c.Before.Kind, c.Before.Name, c.After.Name))
		default:
			list = append(list, fmt.Sprintf("%s %s %s", c.What, c.Before.Kind, c.Before.Name))
		}
	}
	return list
}

var _ = cmp.Diff

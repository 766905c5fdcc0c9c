package mysql

import (
	"testing"

	"github.com/migration-gate/migration-gate/gate/observe/sessiontest"
	"github.com/migration-gate/migration-gate/snapshot"
)

func TestSession(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		sessiontest.Exercise(t, func(t *testing.T) sessiontest.Env {
			l := newLab(t, server, opt, "")
			return sessiontest.Env{Session: l.open(), Read: l.read, DDLCommits: true}
		})
	})
}

package command

import (
	"testing"

	"github.com/migration-gate/migration-gate/gate/config"
)

// Who names a server or an image gets that, or an error, and nothing else.
func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		s    config.Server
		want string
	}{
		{config.Server{Target: "auto"}, "auto"},
		{config.Server{Target: "auto", DatabaseURL: "postgres://ci@localhost"}, "server"},
		{config.Server{Target: "auto", Image: "postgres:16"}, "container"},
		{config.Server{Target: "local", Image: "postgres:16"}, "local"},
		{config.Server{Target: "local", DatabaseURL: "postgres://ci@localhost"}, "local"},
	} {
		if got := kindOf(c.s); got != c.want {
			t.Errorf("kindOf(%+v) = %q, want %q", c.s, got, c.want)
		}
	}
}

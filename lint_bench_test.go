package main

import (
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// migrationText is one of the kinds of migrations that a project accumulates.
func migrationText(n int) (up, down string) {
	t := fmt.Sprintf("shop.table_%03d", n/5)
	switch n % 5 {
	case 0:
		return fmt.Sprintf(`CREATE TABLE %s (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES shop.customers (id),
    total numeric(12,2) NOT NULL DEFAULT 0 CHECK (total >= 0),
    note text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON %s (customer_id, created_at DESC);
COMMENT ON TABLE %s IS 'what; it holds';
`, t, t, t), "SELECT 1;\n"
	case 1:
		return "ALTER TABLE " + t + " ADD COLUMN state text NOT NULL DEFAULT 'new', ADD COLUMN closed_at timestamptz;\n",
			"ALTER TABLE " + t + " RENAME COLUMN state TO _deprecated_state;\nALTER TABLE " + t + " RENAME COLUMN closed_at TO _deprecated_closed_at;\n"
	case 2:
		return fmt.Sprintf("CREATE INDEX CONCURRENTLY table_%03d_state ON %s (state) WHERE closed_at IS NULL;\n", n/5, t),
			fmt.Sprintf("DROP INDEX CONCURRENTLY IF EXISTS shop.table_%03d_state;\n", n/5)
	case 3:
		return fmt.Sprintf(`-- keeps the sum; one row a change
CREATE OR REPLACE FUNCTION shop.touch_%03d() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    IF NEW.total IS DISTINCT FROM OLD.total THEN
        UPDATE shop.customers SET balance = balance + NEW.total - OLD.total WHERE id = NEW.customer_id;
    END IF;
    RETURN NEW;
END;
$fn$;
CREATE TRIGGER touch BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION shop.touch_%03d();
`, n/5, t, n/5), "ALTER TABLE " + t + " DISABLE TRIGGER touch;\n"
	}
	return "UPDATE " + t + " SET note = trim(note) WHERE note <> trim(note);\nALTER TABLE " + t + " ADD CONSTRAINT note_short CHECK (length(note) < 1000) NOT VALID;\n",
		"ALTER TABLE " + t + " DROP CONSTRAINT note_short;\n"
}

// BenchmarkLint: one migration of an editor or a hook, a change of a thousand,
// and all of a thousand that are merged, wall time of the process.
func BenchmarkLint(b *testing.B) {
	const many = 1000
	files := map[string]string{}
	for n := range many {
		up, down := migrationText(n)
		files[fmt.Sprintf("%06d_step.up.sql", n+2)], files[fmt.Sprintf("%06d_step.down.sql", n+2)] = up, down
	}
	lint := func(s *shop, args ...string) time.Duration {
		var took []time.Duration
		for range 11 {
			took = append(took, s.run(b, "lint", args...))
		}
		return median(took)
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	up, down := migrationText(1)
	one := newShop(b, map[string]string{"000002_step.up.sql": up, "000002_step.down.sql": down})
	b.ReportMetric(ms(lint(one, "migrations/000002_step.up.sql")), "ms/1-file")
	change := newShop(b, files)
	d := lint(change)
	b.ReportMetric(ms(d), "ms/change-of-1000")
	b.ReportMetric(2*many/d.Seconds(), "files/s")
	for _, args := range [][]string{{"add", "-A"}, {"-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "-m", "all of them"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = change.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	b.ReportMetric(ms(lint(change, "--base", "HEAD", "--all")), "ms/all-1000")
	b.ReportMetric(ms(lint(change, "--base", "HEAD", "migrations/000500_step.up.sql")), "ms/1-of-1000")
	b.ReportMetric(0, "ns/op")
}

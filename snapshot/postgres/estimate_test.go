package postgres_test

import (
	"strconv"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot/postgres"
)

// The estimate is of the data, however a dump of it is packed.
func TestEstimate(t *testing.T) {
	_, dsn := original(t, `CREATE TABLE events (id bigserial PRIMARY KEY, at timestamptz, who uuid, what text, amount numeric);
		INSERT INTO events (at, who, what, amount) SELECT '2024-01-01'::timestamptz + i * interval '1 min', md5(i::text)::uuid, 'event number ' || i % 100 || ' of a kind', i / 7.0 FROM generate_series(1, 60000) i;
		CREATE INDEX ON events (at); CREATE INDEX ON events (who)`)
	was, err := strconv.ParseInt(mustQuery(t, dsn, "SELECT pg_total_relation_size('events')")[0][0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	plain, tar := dump(t, dsn, "", "--format=plain"), dump(t, dsn, "", "--format=tar")
	for name, file := range map[string]string{
		"plain": plain, "plain, gzip": compressed(t, plain, "gzip", "-c"), "plain, xz": compressed(t, plain, "xz", "-1 -c"),
		"custom": dump(t, dsn, "", "--format=custom"), "custom, not compressed": dump(t, dsn, "", "--format=custom", "--compress=0"),
		"custom, compressed by another": compressed(t, dump(t, dsn, "", "--format=custom", "--compress=0"), "zstd", "-q -c"),
		"directory":                     dump(t, dsn, "", "--format=directory"), "directory, not compressed": dump(t, dsn, "", "--format=directory", "--compress=0"),
		"tar": tar, "tar, lz4": compressed(t, tar, "lz4", "-q -c"), "a packed directory": tarred(t, dump(t, dsn, "", "--format=directory")),
		"parts": folder(t, map[string]string{"schema.sql": dump(t, dsn, "", "--schema-only"), "data.dump": dump(t, dsn, "", "--format=custom", "--data-only")}),
	} {
		if got := postgres.Estimate(open(t, file)); got < was/2 || got > 2*was {
			t.Errorf("%s: estimated at %d bytes, and it was %d (%.2f times)", name, got, was, float64(got)/float64(was))
		} else {
			t.Logf("%s: %.2f times", name, float64(got)/float64(was))
		}
	}
}

package server_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/server"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// What pg_dump writes of a schema with a foreign key and a trigger, and of rows
// in the order that the key allows.
const (
	schemaDump = `--
-- PostgreSQL database dump
--

-- Name: parents; Type: TABLE; Schema: public; Owner: app
CREATE TABLE public.parents (id int PRIMARY KEY, first_child int);
-- Name: children; Type: TABLE; Schema: public; Owner: app
CREATE TABLE public.children (id int PRIMARY KEY, parent int REFERENCES public.parents);
-- Name: log; Type: TABLE; Schema: public; Owner: app
CREATE TABLE public.log (line text);
-- Name: note(); Type: FUNCTION; Schema: public; Owner: app
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (NEW.id); NEW.id := NEW.id + 100; RETURN NEW; END $$;
-- Name: children note; Type: TRIGGER; Schema: public; Owner: app
CREATE TRIGGER note BEFORE INSERT ON public.children FOR EACH ROW EXECUTE FUNCTION public.note();
-- Name: children always; Type: TRIGGER; Schema: public; Owner: app
CREATE TRIGGER always BEFORE INSERT ON public.children FOR EACH ROW EXECUTE FUNCTION public.note();
ALTER TABLE public.children ENABLE ALWAYS TRIGGER always;

--
-- PostgreSQL database dump complete
--
`
	rowsDump = `--
-- PostgreSQL database dump
--

-- Data for Name: parents; Type: TABLE DATA; Schema: public; Owner: app
COPY public.parents (id, first_child) FROM stdin;
1	1
\.

-- Data for Name: children; Type: TABLE DATA; Schema: public; Owner: app
COPY public.children (id, parent) FROM stdin;
1	1
\.

--
-- PostgreSQL database dump complete
--
`
)

// An account that may not pass by triggers and foreign keys brings rows into a
// schema all the same, if their order allows it.
func TestRowsIntoASchema(t *testing.T) {
	r := run(t, "15", nil)
	put := func(text string) string {
		file := filepath.Join(t.TempDir(), "dump.sql")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	circle := strings.Replace(schemaDump, "-- Name: log;", "ALTER TABLE public.parents ADD CONSTRAINT first_child FOREIGN KEY (first_child) REFERENCES public.children;\n-- Name: log;", 1)
	for _, user := range []string{"ci_db", "ci_roles", "ci_super"} {
		t.Run(user, func(t *testing.T) {
			snapshottest.Supported(t, "several", "schema and rows by --snapshot-data", "plain")
			p := server.New(server.Options{URL: r.url(user), Path: os.Getenv("PATH"), Allow: []string{"127.0.0.1"}})
			spec := snapshot.Spec{Run: t.Name(), Engine: snapshot.Postgres, Expires: time.Now().Add(time.Hour)}
			target, err := p.Provision(t.Context(), spec, p.Offer(t.Context(), spec))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := target.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			s, err := postgres.Connect(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			src, err := snapshot.Compose(t.Context(), put(schemaDump), put(rowsDump), "")
			if err != nil {
				t.Fatal(err)
			}
			base, _, err := s.Restore(t.Context(), src, "baseline", postgres.RestoreOptions{})
			if err != nil {
				t.Fatal(err)
			}
			c := r.connect(t, base.Name())
			var got string
			if err := c.QueryRow(t.Context(), `SELECT concat_ws(' ', (SELECT string_agg(id::text, ',') FROM children), (SELECT count(*) FROM log),
				(SELECT string_agg(tgname || '=' || tgenabled::text, ',' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal))`).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := "1 0 always=A,note=O"; got != want {
				t.Errorf("rows, what triggers did, and triggers: got %q, want %q", got, want)
			}
			if src, err = snapshot.Compose(t.Context(), put(circle), put(rowsDump), ""); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Restore(t.Context(), src, "circle", postgres.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "session_replication_role") || !strings.Contains(err.Error(), "first_child") {
				t.Errorf("rows in a circle: error %v", err)
			}
		})
	}
}

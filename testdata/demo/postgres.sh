# Sourced by demo.sh: makes the snapshot by pg_dump, from a private PostgreSQL
# of this machine or a container of one; with neither, as plain SQL.

# bin_dir prints the directory of the newest server programs here.
bin_dir() {
  local d
  for d in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin 2>/dev/null | sort -Vr); do
    [ -x "$d/initdb" ] && [ -x "$d/pg_dump" ] && [ -x "$d/psql" ] && { echo "$d"; return; }
  done
  d=$(command -v initdb) && command -v pg_dump psql >/dev/null && dirname "$(readlink -f "$d")"
}

start_local() {
  bin=$1 socket=$work/server
  mkdir -m 700 "$socket"
  drop=()
  if [ "$(id -u)" = 0 ]; then # the server refuses root
    local user=postgres
    id -u "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$socket"
    drop=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
  fi
  as() { (cd "$socket" && env -u PGSERVICE -u PGOPTIONS PGHOST="$socket" PGPORT=5432 PGUSER=demo PGDATABASE="${db:-postgres}" ${drop[@]+"${drop[@]}"} "$bin/$@"); }
  stop_server() { [ ! -f "$socket/data/postmaster.pid" ] || as pg_ctl -D "$socket/data" -m immediate stop >/dev/null 2>&1; }
  as initdb --no-sync --auth=trust --username=demo --locale=C --encoding=UTF8 -D "$socket/data" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; die 'initdb did not succeed'; }
  as pg_ctl -D "$socket/data" -w -s -l "$socket/log" -o "-k '$socket' -c listen_addresses= -c fsync=off -c full_page_writes=off \
    -c synchronous_commit=off -c autovacuum=off -c max_wal_size=8GB -c shared_buffers=256MB -c maintenance_work_mem=256MB" start ||
    { cat "$socket/log" >&2; die 'the server did not start'; }
}

start_docker() {
  id=$(docker run -d --rm --shm-size 512m -e POSTGRES_HOST_AUTH_METHOD=trust -e POSTGRES_USER=demo "$image" \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off -c max_wal_size=8GB -c maintenance_work_mem=256MB) ||
    { [ -z "${DEMO_IMAGE:-}" ] || die "the container of $image did not start"; return 1; }
  as() { docker exec -i -e PGHOST=127.0.0.1 -e PGUSER=demo -e PGDATABASE="${db:-postgres}" "$id" "$@"; }
  stop_server() { docker rm -f -v "$id" >/dev/null 2>&1; }
  local i
  for i in $(seq 120); do as psql -qAtc 'SELECT 1' >/dev/null 2>&1 && return; sleep 0.5; done
  die "the server in the container of $image does not answer"
}

image=${DEMO_IMAGE:-postgres}
bin=$(bin_dir || true)
if [ -z "$bin" ] && [ "$(id -u)" = 0 ] && [ -z "${DEMO_IMAGE:-}" ]; then
  "$top/testdata/install.sh" postgresql
  bin=$(bin_dir || true)
fi
if [ -n "$bin" ] && [ -z "${DEMO_IMAGE:-}" ]; then
  say "A snapshot of an order database, made by PostgreSQL $("$bin/pg_dump" --version | awk '{print $3}') in a private directory"
  start_local "$bin"
elif command -v docker >/dev/null && docker info >/dev/null 2>&1 && start_docker; then
  say "A snapshot of an order database, made in a container of $image"
else
  say 'A snapshot of an order database, as plain SQL: here is neither a pg_dump nor a container to run it in'
  echo 'skipped: pg_dump (to have it: sudo apt-get install postgresql, brew install postgresql, …)'
fi

# data is the rows, and the ledger as the layout's tool keeps it in production.
data() {
  cat "$here/postgres/orders.sql"
  printf '\nSET ROLE shop;\n'
  layout_ledger "$layout"
  printf 'RESET ROLE;\n\nANALYZE;\n'
}

snapshot=orders.dump
if declare -F as >/dev/null; then
  as psql -qX -c 'CREATE ROLE shop' -c 'CREATE DATABASE shop OWNER shop'
  db=shop
  for f in "$here"/postgres/main/*.up.sql; do as psql -qX -v ON_ERROR_STOP=1 -c 'SET ROLE shop' -f - <"$f"; done
  data | as psql -qX -v ON_ERROR_STOP=1 -v orders="$orders" -f - >/dev/null
  as psql -qXAt -c "SELECT format('%-12s %s rows, %s', relname, reltuples::bigint, pg_size_pretty(pg_total_relation_size(oid)))
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND reltuples > 10 ORDER BY reltuples DESC"
  as pg_dump -Fc -Z1 >"$work/$snapshot"
  stop_server
  stop_server() { :; }
  rm -rf "$work/server"
else # whoever restores it makes the rows, and owns them
  snapshot=orders.sql
  cat "$here"/postgres/main/*.up.sql - >"$work/$snapshot" < <(data | sed -e "s/:orders\\b/$orders/g" -e '/^SET ROLE/d; /^RESET ROLE/d')
fi

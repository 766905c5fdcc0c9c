#!/usr/bin/env bash
# The demonstration behind `make demo`: a repository with an order database's
# migrations, a snapshot of that database by pg_dump, and two changes gated on
# it. "dangerous" must fail, and its safe rewrite must pass.
#
#   DEMO_ORDERS=1000000   rows in orders
#   DEMO_KEEP=1           keep the repository and the snapshot, to play with
#   DEMO_IMAGE=postgres   the image that makes the snapshot where this machine
#                         has no PostgreSQL programs but a Docker engine
#
# With neither, the snapshot is the same database as plain SQL.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
orders=${DEMO_ORDERS:-1000000}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 2; }

# 0711: the server's account goes through it, and reads only what is its own.
work=$(mktemp -d "${TMPDIR:-/tmp}/mg-demo.XXXXXX")
chmod 711 "$work"
stop_server() { :; }
cleanup() {
  local code=$?
  trap - EXIT INT TERM HUP
  stop_server || true
  if [ -n "${DEMO_KEEP:-}" ]; then
    printf '\nkept: %s (the repository: cd %s/shop; the snapshot: ../%s)\n' "$work" "$work" "${snapshot:-}" >&2
  else
    rm -rf "$work"
  fi
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# --- a private PostgreSQL, to make the snapshot with -------------------------

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
  stop_server() { docker rm -f "$id" >/dev/null 2>&1; }
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

# --- the snapshot ------------------------------------------------------------

began=$SECONDS snapshot=orders.dump
if declare -F as >/dev/null; then
  as psql -qX -c 'CREATE ROLE shop' -c 'CREATE DATABASE shop OWNER shop'
  db=shop
  for f in "$here"/main/*.up.sql; do as psql -qX -v ON_ERROR_STOP=1 -c 'SET ROLE shop' -f - <"$f"; done
  as psql -qX -v ON_ERROR_STOP=1 -v orders="$orders" -f - <"$here/orders.sql" >/dev/null
  as psql -qXAt -c "SELECT format('%-12s %s rows, %s', relname, reltuples::bigint, pg_size_pretty(pg_total_relation_size(oid)))
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND reltuples > 10 ORDER BY reltuples DESC"
  as pg_dump -Fc -Z1 >"$work/$snapshot"
  stop_server
  stop_server() { :; }
  rm -rf "$work/server"
else # whoever restores it makes the rows, and owns them
  snapshot=orders.sql
  cat "$here"/main/*.up.sql - >"$work/$snapshot" < <(sed -e "s/:orders\\b/$orders/g" -e '/^SET ROLE/d; /^RESET ROLE/d' "$here/orders.sql")
fi
printf '%s  %s, made in %s s\n' "$snapshot" "$(du -h "$work/$snapshot" | cut -f1)" $((SECONDS - began))

# --- the repository ----------------------------------------------------------

shop=$work/shop
git() { command git -C "$shop" -c user.name=demo -c user.email=demo@example.org -c commit.gpgsign=false -c core.hooksPath=/dev/null "$@"; }
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
mkdir -p "$shop/migrations"
git init -q
git symbolic-ref HEAD refs/heads/main
cp "$here"/main/*.sql "$shop/migrations"
git add -A && git commit -q -m 'Orders, their lines and payments'
for branch in dangerous safe; do
  git checkout -q -b "$branch" main
  cp "$here/$branch"/*.sql "$shop/migrations"
  git add -A && git commit -q -m 'Wider totals, a channel, payments that reference orders'
done

# --- the gate ----------------------------------------------------------------

gate() { # BRANCH EXIT-CODE TITLE [RULE-EXPECTED…]
  local branch=$1 want=$2 code=0 rule
  say "$3"
  shift 3
  git checkout -q "$branch"
  git diff --stat main -- migrations | sed '$d'
  printf '$ migration-gate check --dir migrations --snapshot ../%s --format text --format json=../%s.json\n\n' "$snapshot" "$branch"
  (cd "$shop" && "$top/bin/migration-gate" check --dir migrations --snapshot "../$snapshot" --format text --format "json=../$branch.json") || code=$?
  printf '\nexit code %s\n' "$code"
  [ "$code" = "$want" ] || die "the $branch change must end with exit code $want, not $code"
  for rule in "$@"; do
    grep -q "\"rule\": *\"$rule\"" "$work/$branch.json" || die "the $branch change must show the rule $rule"
  done
}
gate dangerous 1 'The dangerous change: three migrations, as they are often written' \
  lock-budget table-rewrite full-scan-under-lock lock-held-across-statements unsafe-down
gate safe 0 'Its safe rewrite: expand, NOT VALID then VALIDATE, CONCURRENTLY, and downs that destroy nothing'
say "The dangerous change was stopped, and its safe rewrite passed ($SECONDS s in all)."

#!/usr/bin/env bash
# The demonstration behind `make demo`: a repository with an order database's
# migrations, a snapshot of that database by pg_dump, and two changes gated on
# it. "dangerous" must fail, and its safe rewrite must pass.
#
#   ENGINE=postgres       or mysql
#   LAYOUT=golang-migrate or goose, dbmate, flyway, sql-migrate, plain: the same
#                         migrations as that tool's files (PostgreSQL)
#   DEMO_ORDERS=1000000   rows in orders
#   DEMO_KEEP=1           keep the repository and the snapshot, to play with
#   DEMO_INTO=DIR         only make the two there, and gate nothing
#   DEMO_IMAGE=IMAGE      the image that makes the snapshot where this machine
#                         has no server programs but a Docker engine; for
#                         MySQL it gates, too
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
orders=${DEMO_ORDERS:-1000000}
engine=${ENGINE:-postgres}
layout=${LAYOUT:-golang-migrate}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 2; }
[ -f "$here/$engine.sh" ] || die "ENGINE=$engine is none of postgres, mysql"
[ "$engine" = postgres ] || [ "$layout" = golang-migrate ] || die "LAYOUT=$layout is for ENGINE=postgres"
. "$here/layout.sh"

# 0711: the server's account goes through it, and reads only what is its own.
if [ -n "${DEMO_INTO:-}" ]; then
  mkdir -p "$DEMO_INTO"
  work=$(cd "$DEMO_INTO" && pwd)
else
  work=$(mktemp -d "${TMPDIR:-/tmp}/mg-demo.XXXXXX")
fi
chmod 711 "$work"
stop_server() { :; }
cleanup() {
  local code=$?
  trap - EXIT INT TERM HUP
  stop_server || true
  if [ -n "${DEMO_INTO:-}" ]; then
    :
  elif [ -n "${DEMO_KEEP:-}" ]; then
    printf '\nkept: %s (the repository: cd %s/shop; the snapshot: ../%s)\n' "$work" "$work" "${snapshot:-}" >&2
  else
    rm -rf "$work"
  fi
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# --- the snapshot ------------------------------------------------------------

began=$SECONDS
. "$here/$engine.sh"
printf '%s  %s, made in %s s\n' "$snapshot" "$(du -h "$work/$snapshot" | cut -f1)" $((SECONDS - began))

# --- the repository ----------------------------------------------------------

shop=$work/shop
git() { command git -C "$shop" -c user.name=demo -c user.email=demo@example.org -c commit.gpgsign=false -c core.hooksPath=/dev/null "$@"; }
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
mkdir -p "$shop/migrations"
git init -q
git symbolic-ref HEAD refs/heads/main
layout_files "$layout" "$here/$engine/main" "$shop/migrations"
git add -A && git commit -q -m 'Orders, their lines and payments'
for branch in dangerous safe; do
  git checkout -q -b "$branch" main
  layout_files "$layout" "$here/$engine/$branch" "$shop/migrations"
  git add -A && git commit -q -m 'Wider totals, a channel, payments that reference orders'
done

[ -z "${DEMO_INTO:-}" ] || exit 0

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
case $engine in
  postgres)
    gate dangerous 1 'The dangerous change: three migrations, as they are often written' \
      lock-budget table-rewrite full-scan-under-lock lock-held-across-statements unsafe-down
    gate safe 0 'Its safe rewrite: expand, NOT VALID then VALIDATE, CONCURRENTLY, and downs that destroy nothing' ;;
  mysql)
    gate dangerous 1 'The dangerous change: three migrations, as they are often written' \
      lock-budget table-rewrite online-ddl-not-explicit unsafe-down
    gate safe 0 'Its safe rewrite: expand, ALGORITHM and LOCK said out loud, batches, and downs that destroy nothing' ;;
esac
[ -z "${MG_SUPPORT:-}" ] || [ "$engine" != postgres ] || printf 'layouts\t%s\tdemo: red and green\n' "$layout" >>"$MG_SUPPORT"
say "The dangerous change was stopped, and its safe rewrite passed ($SECONDS s in all)."

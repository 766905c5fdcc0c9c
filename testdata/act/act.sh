#!/usr/bin/env bash
# The gate under nektos/act, as `make act` runs it: the workflow of the README
# on the demonstration's repository, with the action as it is here, in the image
# that is built here. The dangerous change must fail with annotations on its
# lines, and the safe one must pass. Nothing is pulled.
#
#   DEMO_ORDERS=20000   rows in orders
#   ACT_IMAGE=IMAGE     the action's image, where it is built already
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
act=github.com/nektos/act@v0.2.89
images=$top/testdata/images

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }
die() { printf 'act: %s\n' "$*" >&2; exit 2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/mg-act.XXXXXX")
chmod 755 "$work"
engine=
cleanup() {
  local code=$?
  trap - EXIT INT TERM HUP
  rm -rf "$work"
  [ -z "$engine" ] || "$images/engine.sh" stop
  exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

if ! { command -v docker >/dev/null && timeout 20 docker version >/dev/null 2>&1; }; then
  "$images/engine.sh" start || die 'there is no Docker engine (see above)'
  engine=ours
fi
runner=$("$images/build.sh" debian:trixie) # container actions need no more of a runner
image=${ACT_IMAGE:-migration-gate:dev}
[ -n "${ACT_IMAGE:-}" ] || "$images/product.sh" "$image"

DEMO_INTO=$work DEMO_ORDERS=${DEMO_ORDERS:-20000} "$top/testdata/demo/demo.sh" >"$work/demo.log" || { cat "$work/demo.log" >&2; exit 2; }

# The repository gets the workflow, and its snapshot where the workflow has it.
shop=$work/shop
git() { command git -C "$shop" -c user.name=demo -c user.email=demo@example.org -c commit.gpgsign=false -c core.hooksPath=/dev/null "$@"; }
git checkout -q main
mkdir -p "$shop/.github/workflows"
cp "$here/migrations.yml" "$shop/.github/workflows"
printf '/snapshots/\n/migration-gate-report/\n/.migration-gate/\n' >"$shop/.gitignore"
git add -A && git commit -q -m 'Gate migrations'
for branch in dangerous safe; do git checkout -q "$branch" && git rebase -q main; done
mkdir "$shop/snapshots"
mv "$work"/orders.* "$shop/snapshots"
chmod -R a+rX "$shop"

# The action as it is here; act builds a Dockerfile without arguments, so it is
# given the image that was built with them.
mkdir "$work/action"
sed "s|^  image: .*|  image: docker://$image|" "$top/action.yml" >"$work/action/action.yml"

(cd "$work" && GOBIN=$work go install "$act") || die 'act cannot be built'

sha() { git rev-parse "$1"; }
pull_request() { # BRANCH → the event
  cat <<JSON
{"action": "synchronize", "number": 7,
 "pull_request": {"number": 7,
  "base": {"ref": "main", "sha": "$(sha main)", "repo": {"full_name": "acme/shop", "fork": false}},
  "head": {"ref": "$1", "sha": "$(sha "$1")", "repo": {"full_name": "acme/shop", "fork": false}}},
 "repository": {"full_name": "acme/shop", "default_branch": "main"}}
JSON
}

run() { # BRANCH EXIT-CODE TITLE
  local branch=$1 want=$2 code=0
  say "$3"
  git checkout -q "$branch"
  pull_request "$branch" >"$work/event.json"
  (cd "$shop" && HOME=$work "$work/act" pull_request --eventpath "$work/event.json" --bind --rm \
    --platform "ubuntu-latest=$runner" --pull=false --action-offline-mode --env MIGRATION_GATE_TARGET=local \
    --local-repository "migration-gate/migration-gate@v1=$work/action" 2>&1) | tee "$work/$branch.log" || code=$?
  printf '\nexit code %s\n' "$code"
  [ "$code" = "$want" ] || die "the $branch change must end with exit code $want, not $code"
}

run dangerous 1 'The dangerous pull request'
grep -q '::error .*file=migrations/.*line=' "$work/dangerous.log" || die 'the dangerous change must be annotated on its lines'
[ "$(grep -c 'migration gate: FAIL' "$work/dangerous.log")" = 1 ] && ! grep -q 'All findings' "$work/dangerous.log" ||
  die "act's log must show the summary's verdict once, and none of its tables"
run safe 0 'Its safe rewrite'
! grep -q '::error ' "$work/safe.log" || die 'the safe change must not be annotated with an error'
say "The failing check was annotated, and its safe rewrite passed ($SECONDS s in all)."

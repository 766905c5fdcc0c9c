#!/usr/bin/env bash
# The hooks of .pre-commit-hooks.yaml as pre-commit installs and runs them, from
# this checkout's last commit: a commit that destroys data is refused, its
# rewrite passes. Building the tool once more takes a minute, so this is no part
# of `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD rev=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export PRE_COMMIT_HOME=$work/home

if ! command -v pre-commit >/dev/null; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check pre-commit
  PATH=$work/venv/bin:$PATH
fi

mkdir -p "$work/shop/migrations"
cd "$work/shop"
git init -q -b main
git config user.name Dev
git config user.email dev@example.com
cat >.pre-commit-config.yaml <<EOF
repos:
  - repo: $top
    rev: $rev
    hooks:
      - id: migration-gate-lint
      - id: migration-gate-lint-change
EOF
echo 'CREATE TABLE orders (id bigint PRIMARY KEY, note text);' >migrations/1_orders.up.sql
echo 'SELECT 1;' >migrations/1_orders.down.sql
git add -A
git commit -q -m merged # before the hooks are there
git switch -q -c change
pre-commit install >/dev/null

fail() { echo "pre-commit: $1" >&2; cat "$work/log" >&2; exit 1; }
commit() { git add -A; git commit -q -m "$1" >"$work/log" 2>&1; }

echo 'ALTER TABLE orders ADD COLUMN total int;' >migrations/2_total.up.sql
echo 'ALTER TABLE orders DROP COLUMN total;' >migrations/2_total.down.sql
echo 'SELECT count(*) FROM orders; -- no migration' >report.sql
if commit 'destroys'; then fail 'a down script that drops a column was let through'; fi
grep -q 'error\[unsafe-down\]' "$work/log" || fail 'the finding is not shown'
[ "$(grep -c 'Failed$' "$work/log")" = 2 ] || fail 'one of the hooks let it through'

echo 'ALTER TABLE orders RENAME COLUMN total TO _deprecated_total;' >migrations/2_total.down.sql
commit 'keeps' || fail 'the rewrite was refused'
[ "$(grep -c 'Passed$' "$work/log")" = 2 ] || fail 'a hook did not run'

git rm -q migrations/1_orders.down.sql
if commit 'deletes'; then fail 'a merged file could be deleted'; fi
grep -q 'checksum-drift' "$work/log" || fail 'the deleted file is not named'
git reset -q --hard

echo 'no migration' >notes.txt
commit 'other files' || fail 'a commit without migrations was refused'
echo 'pre-commit: both hooks refuse what they must, and pass its rewrite'

#!/bin/bash
# Runs the container tests on images built here (build.sh), and the product
# image itself (product.sh), with the engine that answers or one of our own for
# the while (engine.sh). Arguments go to `go test`.
#
# Where there can be no engine it says so and succeeds, unless MG_TEST_IMAGES
# is "require", as continuous integration has it.
set -euo pipefail
cd "$(dirname "$0")/../.."
images=testdata/images

answers() { command -v docker >/dev/null && timeout 20 docker version >/dev/null 2>&1; }

if ! answers; then
  if ! $images/engine.sh start; then
    [ "${MG_TEST_IMAGES:-}" != require ] || exit 1
    echo 'test-images: SKIPPED all container tests: there is no Docker engine (see above)'
    exit 0
  fi
  trap '$images/engine.sh stop' EXIT
  trap 'exit 130' INT TERM HUP
fi
$images/build.sh
MG_TEST_IMAGES=require go test -timeout 20m "$@" ./snapshot/container/...

# One image of what the Dockerfile makes by default, one with MySQL, which
# Debian's stable release does not have. The figures are those of the release.
figures=$(mktemp)
BASE=$($images/build.sh debian:trixie) $images/product.sh migration-gate-test/product:default
BASE=$($images/build.sh debian:sid) $images/product.sh migration-gate-test/product:mysql --build-arg MYSQL=mysql --build-arg POSTGRES_MAJORS=
code=0
MG_TEST_PRODUCT=migration-gate-test/product:default MG_TEST_PRODUCT_MYSQL=migration-gate-test/product:mysql MG_TEST_FIGURES=$figures \
  go test -count 1 -timeout 20m "$@" ./testdata/images/product || code=$?
cat "$figures"
rm -f "$figures"
[ $code = 0 ] || exit $code

# The workflow of the README, by act.
log=$(mktemp)
code=0
ACT_IMAGE=migration-gate-test/product:default testdata/act/act.sh >"$log" 2>&1 || code=$?
if [ $code = 0 ]; then tail -n 1 "$log"; else cat "$log"; fi
rm -f "$log"
exit $code

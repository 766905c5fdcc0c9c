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

tmp=$(mktemp -d)
started=
trap 'rm -rf "$tmp"; [ -z "$started" ] || $images/engine.sh stop' EXIT
trap 'exit 130' INT TERM HUP

answers() { command -v docker >/dev/null && timeout 20 docker version >/dev/null 2>&1; }

if ! answers; then
  if ! $images/engine.sh start; then
    [ "${MG_TEST_IMAGES:-}" != require ] || exit 1
    echo 'test-images: SKIPPED all container tests: there is no Docker engine (see above)'
    exit 0
  fi
  started=yes
fi
$images/build.sh
# What containers are proven to take goes into docs/support.md, as with every
# other suite (UPDATE=1 writes it); part of the tests proves part of it.
export MG_SUPPORT=$tmp/support
MG_TEST_IMAGES=require go test -count 1 -timeout 20m "$@" ./snapshot/container/...
[ $# -gt 0 ] || go run ./testdata/support -by 'make test-images' ${UPDATE:+-update} "$MG_SUPPORT"
unset MG_SUPPORT

# One image of what the Dockerfile makes by default, one with MySQL, which
# Debian's stable release does not have. The figures are those of the release.
figures=$tmp/figures
BASE=$($images/build.sh debian:trixie) $images/product.sh migration-gate-test/product:default
BASE=$($images/build.sh debian:sid) $images/product.sh migration-gate-test/product:mysql --build-arg MYSQL=mysql --build-arg POSTGRES_MAJORS=
code=0
MG_TEST_PRODUCT=migration-gate-test/product:default MG_TEST_PRODUCT_MYSQL=migration-gate-test/product:mysql MG_TEST_FIGURES=$figures \
  go test -count 1 -timeout 20m "$@" ./testdata/images/product || code=$?
cat "$figures"
[ $code = 0 ] || exit $code

# The workflow of the README, by act.
log=$tmp/act.log
code=0
ACT_IMAGE=migration-gate-test/product:default testdata/act/act.sh >"$log" 2>&1 || code=$?
if [ $code = 0 ]; then tail -n 1 "$log"; else cat "$log"; fi
exit $code

#!/bin/bash
# Runs the container tests on images built here (build.sh), with the engine
# that answers or one of our own for the while (engine.sh). Arguments go to
# `go test`.
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

#!/bin/bash
# Builds the product image from this working tree, with a binary built here:
#
#   product.sh [TAG [ARGUMENT OF docker build…]]     default: migration-gate:dev
#
# The base is $BASE, else debian:trixie-slim where that is present or can be
# pulled, else one made from Debian packages (build.sh). The builder's own cache
# keeps what did not change.
set -euo pipefail
cd "$(dirname "$0")/../.."
tag=${1:-migration-gate:dev}
[ $# = 0 ] || shift

base=${BASE:-debian:trixie-slim}
if [ -z "${BASE:-}" ] && ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull --quiet "$base" >/dev/null 2>&1; then
  base=$(testdata/images/build.sh debian:trixie)
fi
make --silent dist
# Proxy variables are predefined build arguments and do not stay in the image.
for v in http_proxy https_proxy no_proxy; do [ -z "${!v:-}" ] || set -- "$@" --build-arg "$v"; done
began=$SECONDS
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! docker build --build-arg BASE="$base" --build-arg GO_IMAGE="$base" --build-arg PREBUILT=dist/migration-gate \
  --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || true)" "$@" -t "$tag" . >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  echo "product.sh: building $tag did not succeed" >&2
  exit 1
fi
echo "$tag: $(($(docker image inspect --format '{{.Size}}' "$tag") / 1000000)) MB, of $base, built in $((SECONDS - began)) s"

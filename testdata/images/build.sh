#!/bin/bash
# Builds server images with the conventions of the official ones from Debian
# packages, for machines that reach a Debian mirror and no registry:
#
#   build.sh [MAJOR…]          default: 15 17
#
# Tags migration-gate-test/postgres:MAJOR and :MAJOR-HASH, where HASH covers
# the build files: what is up to date is not built again. Suites come from the
# mirror in this machine's own apt sources, or from $MG_TEST_MIRROR.
set -euo pipefail
cd "$(dirname "$0")"
repo=migration-gate-test

say() { printf 'build.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
. ../debian.sh

suite_of() {
  case $1 in
    13) echo bullseye ;;
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo sid ;;
    *) die "PostgreSQL $1 is in no Debian suite (13, 15, 17, 18 are)" ;;
  esac
}

base() { # SUITE: makes the base image where it is not there yet
  local suite=$1 image=$repo/debian:$1 work
  if docker image inspect "$image" >/dev/null 2>&1; then return; fi
  need_mmdebstrap
  apt_options
  work=$(mktemp -d)
  say "making $image"
  local from; from=$(mirror)
  if ! mmdebstrap --quiet --variant=minbase --include=ca-certificates "${apt_options[@]}" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$work/base.tar" "$from" >"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    rm -rf "$work"
    die "mmdebstrap $suite did not succeed"
  fi
  docker import -c 'CMD ["/bin/bash"]' "$work/base.tar" "$image" >/dev/null
  rm -rf "$work"
}

build() { # MAJOR
  local major=$1 suite hash image log
  suite=$(suite_of "$major")
  hash=$(cat build.sh postgres/* | sha256sum | cut -c1-12)
  image=$repo/postgres:$major-$hash
  if ! docker image inspect "$image" >/dev/null 2>&1; then
    base "$suite"
    say "building $image"
    log=$(mktemp)
    # Proxy variables are predefined build arguments and do not stay in the image.
    set --
    for v in http_proxy https_proxy no_proxy; do [ -z "${!v:-}" ] || set -- "$@" --build-arg "$v"; done
    if ! docker build "$@" --build-arg BASE="$repo/debian:$suite" --build-arg MAJOR="$major" -t "$image" postgres >"$log" 2>&1; then
      tail -n 30 "$log" >&2
      rm -f "$log"
      die "building $image did not succeed"
    fi
    rm -f "$log"
  fi
  docker tag "$image" "$repo/postgres:$major"
  echo "$repo/postgres:$major"
}

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
  die "no engine answers on ${DOCKER_HOST:-unix:///var/run/docker.sock} (see engine.sh)"
[ $# -gt 0 ] || set -- 15 17
for major; do build "$major"; done

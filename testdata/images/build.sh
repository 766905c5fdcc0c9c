#!/bin/bash
# Builds server images with the conventions of the official ones from Debian
# packages, for machines that reach a Debian mirror and no registry:
#
#   build.sh [IMAGE…]          default: postgres:15 postgres:17 mysql mariadb
#
# An image is postgres:MAJOR (or MAJOR alone), mysql or mariadb, of the version
# that Debian has; or debian:SUITE, their base. Tags migration-gate-test/NAME:VERSION and :VERSION-HASH,
# where HASH covers the build files: what is up to date is not built again.
# Suites come from the mirror in this machine's own apt sources, or from
# $MG_TEST_MIRROR.
set -euo pipefail
cd "$(dirname "$0")"
repo=migration-gate-test

say() { printf 'build.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
. ../debian.sh

suite_of() { # NAME MAJOR
  case $1:$2 in
    postgres:13) echo bullseye ;;
    postgres:15) echo bookworm ;;
    postgres:17) echo trixie ;;
    postgres:18) echo sid ;;
    postgres:*) die "PostgreSQL $2 is in no Debian suite (13, 15, 17, 18 are)" ;;
    mysql:9.7) echo sid ;;
    mariadb:10.11) echo bookworm ;;
    *) die "$1:$2 cannot be had from Debian (mysql:9.7 and mariadb:10.11 can)" ;;
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

# build NAME MAJOR FOLDER [--build-arg X=Y…]: the image, from a folder here
build() {
  local name=$1 major=$2 folder=$3 suite hash image log
  shift 3
  suite=$(suite_of "$name" "$major")
  hash=$(cat build.sh "$folder"/* | sha256sum | cut -c1-12)
  image=$repo/$name:$major-$hash
  if ! docker image inspect "$image" >/dev/null 2>&1; then
    base "$suite"
    say "building $image"
    log=$(mktemp)
    # Proxy variables are predefined build arguments and do not stay in the image.
    for v in http_proxy https_proxy no_proxy; do [ -z "${!v:-}" ] || set -- "$@" --build-arg "$v"; done
    if ! docker build "$@" --build-arg BASE="$repo/debian:$suite" -t "$image" "$folder" >"$log" 2>&1; then
      tail -n 30 "$log" >&2
      rm -f "$log"
      die "building $image did not succeed"
    fi
    rm -f "$log"
    # The official images tell their version in the environment.
    case $name in mysql | mariadb) tell_version "$name" "$major" "$image" ;; esac
  fi
  docker tag "$image" "$repo/$name:$major"
  echo "$repo/$name:$major"
}

tell_version() { # NAME MAJOR IMAGE
  local said version
  said=$(docker run --rm --network none "$3" mysqld --version)
  version=$(sed -n 's/.* Ver \([0-9.]*\).*/\1/p' <<<"$said")
  case $version in "$2".*) ;; *) docker rmi "$3" >/dev/null; die "Debian has $1 $version by now, $2 was expected ($said)" ;; esac
  printf 'FROM %s\nENV %s_VERSION=%s %s_MAJOR=%s\n' "$3" "${1^^}" "$version" "${1^^}" "$2" | docker build -q -t "$3" - >/dev/null 2>&1 ||
    { docker rmi "$3" >/dev/null; die "writing the version into $3 did not succeed"; }
}

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
  die "no engine answers on ${DOCKER_HOST:-unix:///var/run/docker.sock} (see engine.sh)"
[ $# -gt 0 ] || set -- postgres:15 postgres:17 mysql mariadb
for image; do
  case $image in
    mysql | mysql:9 | mysql:9.7)
      build mysql 9.7 mysql --build-arg FLAVOUR=mysql
      docker tag "$repo/mysql:9.7" "$repo/mysql:9" ;;
    # Debian has mariadb-dump, and the plugin that shows metadata locks, in
    # packages whose dependencies nothing here needs.
    mariadb | mariadb:10.11) build mariadb 10.11 mysql --build-arg FLAVOUR=mariadb --build-arg UNPACK='mariadb-server mariadb-client' ;;
    debian:*) base "${image#debian:}"; echo "$repo/$image" ;;
    postgres) for major in 15 17; do build postgres $major postgres --build-arg MAJOR=$major; done ;;
    postgres:* | [0-9]*) build postgres "${image#postgres:}" postgres --build-arg MAJOR="${image#postgres:}" ;;
    *) die "$image is none of postgres:MAJOR, mysql, mariadb, debian:SUITE" ;;
  esac
done

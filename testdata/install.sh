#!/usr/bin/env bash
# Installs what tests and demonstration need and this machine lacks:
#
#   install.sh [cc] [postgresql] [bzip2] [lz4] [xz] [zstd] [mydumper] [mysql] [mariadb] [dbmate] [flyway]
#
#   cc          a C compiler, for PostgreSQL's own grammar (else its wasm twin)
#   postgresql  server and client programs, as packages, without a cluster
#   bzip2, lz4, xz, zstd
#               to compress dumps, and an archive as the repositories of prebuilt servers have it
#   mydumper    to restore what it dumps
#   mysql       a server, the machine's own or one unpacked beside it from Debian
#   mariadb     packages (mysql/servers.sh), which installs nothing
#   dbmate      from npm, into testdata/tools/node_modules
#   flyway      Java and Maven, by which tests fetch it from Maven Central
#
# It needs root and apt. As another user, or elsewhere, it says what is missing
# and what happens instead, and succeeds: the tests tell what they skipped.
set -euo pipefail

say() { printf 'install: %s\n' "$*" >&2; }

# The places snapshot/local looks in.
have_postgresql() {
  command -v pg_ctl >/dev/null && command -v initdb >/dev/null && return
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    compgen -G '/usr/pgsql-*/bin/initdb' >/dev/null ||
    compgen -G '/opt/homebrew/opt/postgresql*/bin/initdb' >/dev/null ||
    compgen -G '/usr/local/opt/postgresql*/bin/initdb' >/dev/null
}

have_cc() { command -v "$(go env CC)" >/dev/null && echo 'int main(void){return 0;}' | "$(go env CC)" -x c -o /dev/null - 2>/dev/null; }

tools=$(cd "$(dirname "$0")/tools" && pwd)
have_dbmate() { [ "$("$tools/node_modules/.bin/dbmate" --version 2>/dev/null)" = "dbmate version $(sed -n 's/.*"dbmate": "\(.*\)".*/\1/p' "$tools/package.json")" ]; }

packages=() without=() servers=() npm=()
for want in "$@"; do
  case $want in
    cc)
      have_cc || { packages+=(gcc libc6-dev); without+=("no C compiler: the grammar's wasm twin is tested, and cgo's is not"); } ;;
    postgresql)
      have_postgresql || { packages+=(postgresql postgresql-client); without+=("no PostgreSQL server programs: tests download them, each version once"); } ;;
    bzip2 | lz4 | xz | zstd)
      package=$want
      [ "$want" != xz ] || package=xz-utils
      command -v "$want" >/dev/null || { packages+=("$package"); without+=("no $want: dumps that it has compressed are not tested"); } ;;
    mydumper)
      command -v mydumper >/dev/null || { packages+=(mydumper); without+=("no mydumper: restoring its dumps is not tested"); } ;;
    mysql | mariadb)
      if ! "$(dirname "$0")/mysql/servers.sh" --there "$want"; then
        servers+=("$want")
        for tool in patchelf mmdebstrap; do
          command -v $tool >/dev/null || [[ " ${packages[*]-} " = *" $tool "* ]] || packages+=($tool)
        done
        without+=("no $want server: its tests are skipped, and fail where CI=true")
      fi ;;
    dbmate)
      have_dbmate || npm+=("$want")
      have_dbmate || command -v npm >/dev/null || { packages+=(npm); without+=("no npm: dbmate's layout is not held against dbmate"); } ;;
    flyway)
      command -v mvn >/dev/null || { packages+=(maven); without+=("no maven: Flyway's layout is not held against Flyway"); }
      command -v javac >/dev/null || packages+=(default-jdk-headless) ;;
    *) say "unknown: $want"; exit 2 ;;
  esac
done
[ $((${#packages[@]} + ${#servers[@]} + ${#npm[@]})) -gt 0 ] || exit 0

from_npm() {
  [ ${#npm[@]} = 0 ] || ! command -v npm >/dev/null ||
    npm install --prefix "$tools" --no-package-lock --ignore-scripts --no-audit --no-fund --silent >/dev/null || say "npm install ${npm[*]} did not succeed: what needs it is skipped"
}
if [ $((${#packages[@]} + ${#servers[@]})) = 0 ]; then from_npm; exit 0; fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  from_npm
  for w in "${without[@]}"; do say "$w"; done
  [ ${#packages[@]} = 0 ] || say "to have it: sudo apt-get install --no-install-recommends ${packages[*]}"
  [ ${#servers[@]} = 0 ] || say "to have it: sudo testdata/install.sh ${servers[*]}, or name directories of server programs in MG_TEST_MYSQL_BINS"
  exit 0
fi

unpack() {
  local name
  for name in ${servers[@]+"${servers[@]}"}; do
    "$(dirname "$0")/mysql/servers.sh" "$name" >/dev/null || say "no $name server: its tests are skipped, and fail where CI=true"
  done
}

if [ ${#packages[@]} = 0 ]; then from_npm; unpack; exit 0; fi

# Debian's postgresql makes a cluster and starts it on installation, which
# nobody here wants. An existing answer of the machine's owner stays.
conf=/etc/postgresql-common/createcluster.conf
if [ ! -e $conf ]; then
  mkdir -p "$(dirname $conf)"
  echo 'create_main_cluster = false' >$conf
fi
say "apt-get install ${packages[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Options::=--force-confold "$@" >"$log" 2>&1; }
if ! apt install --no-install-recommends "${packages[@]}"; then # perhaps for want of a list
  apt update || say 'apt-get update did not succeed'
  if ! apt install --no-install-recommends "${packages[@]}"; then
    tail -n 15 "$log" >&2
    for p in "${packages[@]}"; do # one that this suite lacks does not cost the others
      apt install --no-install-recommends "$p" || say "apt-get install $p did not succeed: what needs it is skipped"
    done
  fi
fi
from_npm
unpack

#!/usr/bin/env bash
# Gives the tests real servers of MySQL and MariaDB without touching the host:
#
#   servers.sh [mysql] [mariadb]        default: both
#   servers.sh --there NAME             does nothing; succeeds where NAME is there
#
# Prints the directory of each one's server program. That is the machine's own
# where it has one that is new enough. Else Debian packages are unpacked into
# /var/lib/migration-gate-test/NAME (for root: the servers run as an
# unprivileged account, which could not pass through root's home), nothing of
# them is installed and none of their scripts run. What is up to date is not
# unpacked again. Packages come from the mirror in this machine's own apt
# sources, or from $MG_TEST_MIRROR.
set -euo pipefail
cd "$(dirname "$0")"
root=${MG_TEST_SERVERS:-/var/lib/migration-gate-test}

say() { printf 'servers.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
. ../debian.sh

# What the tests call; links to these names are kept as they are.
clients='mysql mysqldump mysqladmin mysqlbinlog mysqlcheck mysqlimport mysqlshow
  mariadb mariadb-dump mariadb-admin mariadb-binlog mariadb-check mariadb-import mariadb-show
  my_print_defaults resolveip'

# Debian has MySQL in unstable alone. MariaDB's plugin metadata_lock_info and
# its mariadb-dump are not in the -core packages.
suite_of() { case $1 in mysql) echo sid ;; mariadb) echo bookworm ;; esac; }
packages_of() {
  case $1 in
    mysql) echo mysql-server-core,mysql-client-core ;;
    mariadb) echo mariadb-server-core,mariadb-client-core,mariadb-server,mariadb-client ;;
  esac
}
stamp_of() { echo "$1 $(suite_of "$1") $(uname -m) $(sha256sum <servers.sh | cut -c1-12)"; }
least() { case $1 in mysql) echo 8.0 ;; mariadb) echo 10.6 ;; esac; }

installed() { # NAME: prints the directory of the machine's own server
  local program said version
  for program in /usr/sbin/mariadbd /usr/libexec/mariadbd /usr/sbin/mysqld /usr/libexec/mysqld \
    /opt/homebrew/opt/"$1"/bin/{mariadbd,mysqld} /usr/local/opt/"$1"/bin/{mariadbd,mysqld}; do
    [ -x "$program" ] && said=$("$program" --version 2>/dev/null) || continue
    case $1/$said in mysql/*MariaDB*) continue ;; mariadb/*MariaDB* | mysql/*) ;; *) continue ;; esac
    version=$(sed -n 's/.*Ver \([0-9.]*\).*/\1/p' <<<"$said")
    [ "$(printf '%s\n' "$(least "$1")" "$version" | sort -V | head -n 1)" = "$(least "$1")" ] || continue
    # Without its plugin, MariaDB's locks cannot be measured.
    [ "$1" = mysql ] || compgen -G "$(dirname "$(dirname "$program")")/lib*/*/plugin/metadata_lock_info.so" >/dev/null || continue
    dirname "$program"
    return
  done
  return 1
}

unpack() { # NAME: prints the directory of the unpacked server
  local name=$1 suite stamp to=$root/$1 stage program loader libs
  up_to_date() { [ "$(head -n 1 "$to/stamp" 2>/dev/null)" = "$stamp" ]; }
  suite=$(suite_of "$name")
  stamp=$(stamp_of "$name")
  if up_to_date; then echo "$to/usr/sbin"; return; fi
  if [ "$(id -u)" != 0 ]; then
    [ -e "$to/stamp" ] || die "no $name server on this machine, and unpacking one needs root: sudo testdata/install.sh $name"
    say "$to was not unpacked by this very script; used as it is"
    echo "$to/usr/sbin"
    return
  fi
  command -v patchelf >/dev/null || die 'patchelf is not installed (apt-get install patchelf)'
  need_mmdebstrap
  apt_options
  mkdir -p "$root"
  chmod 755 "$root"
  exec 9>"$root/.lock" # another run may be at it
  flock 9
  if up_to_date; then exec 9>&-; echo "$to/usr/sbin"; return; fi
  stage=$(mktemp -d "$root/.$name.XXXXXX")
  # shellcheck disable=SC2064 # now, not then
  trap "rm -rf '$stage'" EXIT
  say "unpacking $name from $(packages_of "$name") of $suite"
  if ! mmdebstrap --variant=extract "${apt_options[@]}" --include="$(packages_of "$name")" \
    "$suite" "$stage/all" "$(mirror)" >"$stage/log" 2>&1; then
    tail -n 20 "$stage/log" >&2
    die "mmdebstrap $suite did not succeed"
  fi
  # Of all that, only programs, their data and their libraries.
  local from=$stage/all keep=$stage/keep triplet
  loader=$(find "$from" -name 'ld-linux*.so.*' -type f | head -n 1)
  triplet=$(basename "$(dirname "$loader")")
  mkdir -p "$keep/usr/"{sbin,bin,share,lib/mysql} "$keep/lib"
  cp -a "$from"/usr/sbin/{mysqld,mariadbd} "$keep/usr/sbin/" 2>/dev/null || true
  for program in $clients; do
    [ ! -e "$from/usr/bin/$program" ] || cp -a "$from/usr/bin/$program" "$keep/usr/bin/"
  done
  cp -a "$from"/usr/share/{mysql,mariadb} "$keep/usr/share/" 2>/dev/null || true
  cp -a "$from"/usr/lib/mysql/{plugin,private} "$keep/usr/lib/mysql/" 2>/dev/null || true
  for libs in "$from/usr/lib/$triplet" "$from/lib/$triplet"; do
    [ -d "$libs" ] && [ "$(realpath "$libs")" = "$libs" ] || continue # /lib may be a link to /usr/lib
    find "$libs" -maxdepth 1 -name '*.so*' -exec cp -a {} "$keep/lib/" \;
  done
  # They run on the library they were built with, whatever the host has, and
  # so do the plugins they load.
  loader=$to/lib/$(basename "$loader")
  find "$keep/usr/sbin" "$keep/usr/bin" -type f | while read -r program; do
    patchelf --set-interpreter "$loader" --set-rpath "$to/lib:$to/usr/lib/mysql/private" --force-rpath "$program" 2>"$stage/log" ||
      rm "$program" # a script
  done
  echo "$stamp" >"$keep/stamp"
  chmod -R u+rwX,go+rX,go-w "$keep"
  rm -rf "$stage/old"
  [ ! -e "$to" ] || mv "$to" "$stage/old"
  mv "$keep" "$to"
  rm -rf "$stage"
  trap - EXIT
  exec 9>&-
  program=$(find "$to/usr/sbin" -type f | head -n 1)
  "$program" --version | tee -a "$to/stamp" >&2 || die "$program does not run here"
  echo "$to/usr/sbin"
}

if [ "${1:-}" = --there ]; then
  installed "$2" >/dev/null && exit
  stamp=$(head -n 1 "$root/$2/stamp" 2>/dev/null) && { [ "$stamp" = "$(stamp_of "$2")" ] || [ "$(id -u)" != 0 ]; }
  exit
fi
[ $# -gt 0 ] || set -- mysql mariadb
for name; do
  case $name in mysql | mariadb) ;; *) die "unknown: $name (mysql, mariadb)" ;; esac
  installed "$name" || unpack "$name"
done

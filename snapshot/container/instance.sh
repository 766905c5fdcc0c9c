#!/bin/sh
# The servers of one container, each on a data directory of its own. It runs
# within the image, which has little more than a shell and coreutils:
#
#   sh instance.sh COMMAND ARGUMENT…
set -eu

home=/var/lib/migration-gate # a volume of the container's own
all=$home/instances          # NAME/data, /log, /port, /pid; the server user's alone
settings=$all/.settings      # the server's arguments, one a line

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# MariaDB gives up the names that begin with mysql.
program() { command -v mariadbd || command -v mysqld || die 'there is no mysqld in the image'; }

# running NAME: there is a process that serves its data. That its number was
# taken by another one shows in the arguments; a dead one that nobody waited
# for has none.
running() {
  [ -s "$all/$1/pid" ] && tr '\0' '\n' 2>/dev/null <"/proc/$(cat "$all/$1/pid")/cmdline" | grep -qxF -- "--datadir=$all/$1/data"
}

gone() { while running "$1"; do sleep 0.05; done; }
there() { [ -d "$all/$1/data" ] || die "there is no instance $1"; }

# port_for FIRST_INSTANCE FIRST LAST NAME: the first instance keeps the first of
# the ports, the others take any that no running one has.
port_for() {
  if [ "$4" = "$1" ]; then say "$2"; return; fi
  port=$(($2 + 1))
  while [ "$port" -le "$3" ]; do
    taken=
    for dir in "$all"/*/; do
      name=${dir%/} name=${name##*/}
      if [ "$name" != "$4" ] && [ "$(cat "$dir/port" 2>/dev/null)" = "$port" ] && running "$name"; then taken=1; fi
    done
    if [ -z "$taken" ]; then say "$port"; return; fi
    port=$((port + 1))
  done
  die "$(($3 - $2)) servers run beside the first, and more were not provided for: stop one"
}

command=$1
shift
case $command in
# prepare ACCOUNT, as root: makes the places, and tells the version.
prepare)
  mkdir -p "$all" "$home/nowhere" "$home/client"
  printf '[client]\nhost=127.0.0.1\nport=3306\nprotocol=TCP\nuser=root\nloose-get-server-public-key\n' >"$home/client/.my.cnf"
  chown "$1" "$all"
  chmod 0700 "$all"
  server=$(program)
  "$server" --version
  ;;

# init NAME ARGUMENT…: makes the first data directory; the arguments are for
# every start from then on. The administrator's accounts get $PASSWORD when the
# server first starts, before it listens to anybody.
init)
  umask 077
  first=$1
  shift
  server=$(program)
  mkdir -p "$all/$first"
  plugins=$("$server" --no-defaults --verbose --help 2>/dev/null | sed -n 's/^plugin-dir  *//p')
  plugin=metadata_lock_info
  case ${server##*/} in
  mariadbd)
    if [ -e "$plugins/$plugin.so" ]; then set -- --plugin-load-add=$plugin "$@"; else say "lacks $plugin"; fi
    printf '%s\n' "$@" >"$settings"
    # Its own script splits arguments at blanks; settings with any are not for
    # life, as page sizes are.
    set --
    while IFS= read -r line; do case $line in *[[:space:]]*) ;; *) set -- "$@" "$line" ;; esac; done <"$settings"
    mariadb-install-db --no-defaults --rpm --datadir="$all/$first/data" --auth-root-authentication-method=normal --skip-test-db "$@" >"$all/$first/log" 2>&1
    ;;
  *)
    printf '%s\n' "$@" >"$settings"
    "$server" --no-defaults --initialize-insecure --datadir="$all/$first/data" "$@" >"$all/$first/log" 2>&1
    ;;
  esac || { grep -F '[ERROR]' "$all/$first/log" >&2 || tail -n 12 "$all/$first/log" >&2; exit 1; }
  {
    case ${server##*/} in
    mariadbd) say "DELETE FROM mysql.global_priv WHERE User = '' OR User = 'root' AND Host <> 'localhost';"
      say "DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost';" ;;
    esac
    say 'FLUSH PRIVILEGES;'
    say "CREATE USER 'root'@'%' IDENTIFIED BY '$PASSWORD';"
    say "GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;"
    say "ALTER USER 'root'@'localhost' IDENTIFIED BY '$PASSWORD';"
  } >"$all/$first/init.sql"
  ;;

# initialised NAME: takes the password away again.
initialised) rm -f "$all/$1/init.sql" ;;

# run FIRST_INSTANCE FIRST LAST NAME ARGUMENT…: says "started PORT" or "running
# PORT", and waits for the end of a server that it started.
run)
  name=$4
  there "$name"
  if running "$name"; then say "running $(cat "$all/$name/port")"; exit 0; fi
  server=$(program)
  port=$(port_for "$1" "$2" "$3" "$4")
  shift 4
  dir=$all/$name
  say "$port" >"$dir/port"
  if [ -e "$dir/init.sql" ]; then set -- --init-file="$dir/init.sql" "$@"; fi
  # In front of those of this start, for the last of a name counts.
  total=$#
  while IFS= read -r line; do set -- "$@" "$line"; done <"$settings"
  while [ "$total" -gt 0 ]; do line=$1; shift; set -- "$@" "$line"; total=$((total - 1)); done
  "$server" --no-defaults --datadir="$dir/data" --socket="$dir/mysqld.sock" --pid-file="$dir/mysqld.pid" \
    --port="$port" "$@" >"$dir/log" 2>&1 </dev/null &
  pid=$!
  say $pid >"$dir/pid"
  # The port is taken once others see who runs on it; one that ended at once
  # nobody sees.
  tries=0
  until running "$name" || [ $tries = 50 ]; do sleep 0.01; tries=$((tries + 1)); done
  say "started $port"
  if wait $pid; then status=0; else status=$?; fi
  { printf 'exit status %s: ' "$status"; tail -n 12 "$dir/log"; } >&2
  exit 4
  ;;

alive) running "$1" || die "the server ended: $(tail -n 12 "$all/$1/log")" ;;

# ready NAME: it said so.
ready) grep -q 'ready for connections' "$all/$1/log" ;;

log) tail -n 12 "$all/$1/log" ;;

stop)
  if running "$1"; then kill -TERM "$(cat "$all/$1/pid")" || true; gone "$1"; fi
  ;;

# copy FROM TO TOKEN: the token tells this copy from others of that name.
copy)
  there "$1"
  if running "$1"; then die "instance $1 runs: stop it first"; fi
  [ ! -e "$all/$2" ] || die "instance $2 is there already"
  reflink=--reflink=auto
  cp --reflink=auto /dev/null /dev/null 2>/dev/null || reflink= # busybox
  aside=$all/.copy-$2
  rm -rf "$aside"
  mkdir "$aside"
  say $$ >"$aside/pid"
  say "$3" >"$aside/token"
  cp -a $reflink "$all/$1/data" "$aside/data" || { rm -rf "$aside"; exit 1; }
  rm -f "$aside/data/auto.cnf" "$aside/pid" # auto.cnf is the server's identity
  mv "$aside" "$all/$2"
  ;;

# uncopy TO TOKEN: ends a copy that nobody waits for any more.
uncopy)
  if [ "$(cat "$all/.copy-$1/token" 2>/dev/null)" = "$2" ]; then
    kill -KILL "$(cat "$all/.copy-$1/pid" 2>/dev/null)" 2>/dev/null || true
    # What it was running goes on until it finds its directory gone.
    until rm -rf "$all/.copy-$1" 2>/dev/null && sleep 0.2 && [ ! -e "$all/.copy-$1" ]; do :; done
  fi
  if [ "$(cat "$all/$1/token" 2>/dev/null)" = "$2" ]; then rm -rf "${all:?}/$1"; fi
  ;;

remove)
  if running "$1"; then kill -KILL "$(cat "$all/$1/pid")" || true; gone "$1"; fi
  rm -rf "${all:?}/$1"
  ;;

# size NAME: of its data directory, KiB.
size) there "$1"; du -sk "$all/$1/data" ;;

*) die "unknown command $command" ;;
esac

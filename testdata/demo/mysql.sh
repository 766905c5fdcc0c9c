# Sourced by demo.sh: makes the snapshot by mysqldump, from a private MySQL of
# this machine (unpacked from packages where it has none and this is root) or a
# container of one.

# server_dir prints the directory of a mysqld that is MySQL's, not MariaDB's.
server_dir() {
  local d
  for d in $(command -v mysqld || true) /usr/sbin/mysqld /usr/libexec/mysqld /usr/local/mysql/bin/mysqld /opt/homebrew/opt/mysql*/bin/mysqld \
    /usr/local/opt/mysql*/bin/mysqld /var/lib/migration-gate-test/mysql/usr/sbin/mysqld; do
    [ -x "$d" ] && ! "$d" --version 2>/dev/null | grep -q MariaDB && { dirname "$d"; return; }
  done
  return 1
}

# client prints the path of a client program beside the server, or on the path.
client() {
  local p
  for p in "$bin/$1" "${bin%/sbin}/bin/$1" "$(command -v "$1" || true)"; do
    [ -x "$p" ] && { echo "$p"; return; }
  done
  return 1
}

start_local() {
  bin=$1 socket=$work/server
  local prefix=${bin%/*} options
  mkdir -m 700 "$socket"
  drop=()
  if [ "$(id -u)" = 0 ]; then # the server refuses root
    chown nobody "$socket"
    drop=(setpriv --reuid=nobody "--regid=$(id -g nobody)" --clear-groups)
  fi
  options=(--no-defaults --datadir="$socket/data" --socket="$socket/s" --skip-networking --mysqlx=OFF --skip-log-bin --secure-file-priv=NULL
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=OFF --innodb-buffer-pool-size=1G --pid-file="$socket/pid" --log-error="$socket/log")
  if [ -d "$prefix/share/mysql/charsets" ] && [ "$prefix" != /usr ]; then
    options+=(--basedir="$prefix" --lc-messages-dir="$prefix/share/mysql" --character-sets-dir="$prefix/share/mysql/charsets" --plugin-dir="$prefix/lib/mysql/plugin")
  fi
  run() { (cd "$socket" && ${drop[@]+"${drop[@]}"} "$@"); }
  run "$bin/mysqld" "${options[@]}" --initialize-insecure >/dev/null 2>&1 || { cat "$socket/log" >&2; die 'mysqld --initialize-insecure did not succeed'; }
  # exec: the signal must reach the server, not a shell around it.
  (cd "$socket" && exec ${drop[@]+"${drop[@]}"} "$bin/mysqld" "${options[@]}") >/dev/null 2>&1 &
  server=$!
  stop_server() { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  sql() { run "$mysql" --no-defaults -uroot -S "$socket/s" "$@"; }
  dump() { run "$mysqldump" --no-defaults -uroot -S "$socket/s" "$@"; }
  mysql=$(client mysql) mysqldump=$(client mysqldump) || die "neither $bin nor the path has mysql and mysqldump"
  wait_for "$socket/log"
}

start_docker() {
  id=$(docker run -d --rm -e MYSQL_ALLOW_EMPTY_PASSWORD=1 "$image" --skip-log-bin --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=1G) ||
    { [ -z "${DEMO_IMAGE:-}" ] || die "the container of $image did not start"; return 1; }
  stop_server() { docker rm -f -v "$id" >/dev/null 2>&1; }
  sql() { docker exec -i "$id" mysql -uroot -h127.0.0.1 "$@"; }
  dump() { docker exec -i "$id" mysqldump -uroot -h127.0.0.1 "$@"; }
  wait_for ''
}

wait_for() { # LOG
  local i
  for i in $(seq 240); do sql -e 'SELECT 1' >/dev/null 2>&1 && return; sleep 0.25; done
  [ -z "$1" ] || cat "$1" >&2
  die 'the server does not answer'
}

image=${DEMO_IMAGE:-mysql}
bin=$(server_dir || true)
if [ -z "$bin" ] && [ "$(id -u)" = 0 ] && [ -z "${DEMO_IMAGE:-}" ]; then
  "$top/testdata/install.sh" mysql
  bin=$(server_dir || true)
fi
if [ -n "$bin" ] && [ -z "${DEMO_IMAGE:-}" ]; then
  say "A snapshot of an order database, made by $("$bin/mysqld" --version | sed -E 's/.*Ver ([0-9.]+).*/MySQL \1/') in a private directory"
  start_local "$bin"
  PATH=$bin:$PATH # where the gate finds the server
elif command -v docker >/dev/null && docker info >/dev/null 2>&1 && start_docker; then
  say "A snapshot of an order database, made in a container of $image"
  [ -z "${DEMO_IMAGE:-}" ] || export MIGRATION_GATE_IMAGE=$image # what made it can gate it
else
  die "here is neither a MySQL server nor a container of one: start a Docker engine, or install mysql-server-core and mysql-client-core (on Ubuntu with -8.0 or -8.4) or mysql (brew); on Debian, sudo $top/testdata/install.sh mysql unpacks one"
fi

snapshot=orders.sql.gz
sql -e 'CREATE DATABASE shop'
for f in "$here"/mysql/main/*.up.sql; do sql shop <"$f"; done
{ echo "SET @orders = $orders;"; cat "$here/mysql/orders.sql"; } | sql shop >/dev/null
sql -Nse "SELECT CONCAT(RPAD(table_name, 13, ' '), table_rows, ' rows, ', ROUND((data_length + index_length) / 1048576), ' MB')
  FROM information_schema.tables WHERE table_schema = 'shop' AND table_rows > 10 ORDER BY table_rows DESC"
dump --single-transaction --set-gtid-purged=OFF --routines --triggers --events shop | gzip -1 >"$work/$snapshot"
stop_server
stop_server() { :; }
[ ! -e "$work/server/pid" ] || die 'the server that made the snapshot did not end'
rm -rf "$work/server"

#!/bin/bash
# A container engine for tests:
#
#   engine.sh start     uses the engine that answers; else, as root on a fresh
#                       machine, installs docker.io and starts a private one
#   engine.sh stop      stops the private one, and only that
#   engine.sh status    says which there is
#
# MG_TEST_ENGINE=none never touches the machine. The private engine keeps its
# data, pid and log in $MG_TEST_ENGINE_DIR (default /var/lib/migration-gate-engine),
# and listens where DOCKER_HOST says (a Unix socket; default /var/run/docker.sock).
set -euo pipefail

dir=${MG_TEST_ENGINE_DIR:-/var/lib/migration-gate-engine}
socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
pidfile=$dir/dockerd.pid

say() { printf 'engine.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

answers() { command -v docker >/dev/null && timeout 20 docker version --format '{{.Server.Version}}' 2>/dev/null; }

# The daemon that we started: its pid, if it still is that daemon.
ours() {
  local pid
  [ -r "$pidfile" ] && pid=$(<"$pidfile") && [ -n "$pid" ] || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "$pidfile" || return 1
  echo "$pid"
}

# Another daemon on this machine: two would fight over the bridge and the
# packet filter.
other() {
  local comm pid
  for comm in /proc/[0-9]*/comm; do
    if [ "$(cat "$comm" 2>/dev/null)" = dockerd ] && pid=${comm#/proc/} && pid=${pid%/comm} && [ -r "/proc/$pid/exe" ]; then
      echo "$pid"; return
    fi
  done
}

# Why no engine may be started here; nothing if one may.
reason() {
  [ "${MG_TEST_ENGINE:-}" != none ] || { echo 'MG_TEST_ENGINE=none'; return; }
  [ "$(id -u)" = 0 ] || { echo 'not root'; return; }
  [ -z "${CI:-}" ] || { echo 'CI services bring their own (CI is set)'; return; }
  case $socket in unix://*) ;; *) echo "DOCKER_HOST=$socket is no Unix socket"; return ;; esac
  # A machine that systemd runs has an administrator who decides on that.
  [ ! -d /run/systemd/system ] || { echo 'systemd runs this machine: systemctl start docker is yours to call'; return; }
  local pid; pid=$(other)
  [ -z "$pid" ] || { echo "another dockerd runs (pid $pid) and does not answer there"; return; }
  command -v dockerd >/dev/null || command -v apt-get >/dev/null || { echo 'no dockerd, and no apt-get to install it with'; return; }
}

install_engine() {
  if command -v dockerd >/dev/null && command -v iptables >/dev/null && command -v docker >/dev/null; then return; fi
  say 'installing docker.io'
  mkdir -p "$dir"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io iptables; } >"$dir/apt.log" 2>&1 ||
    { tail -n 15 "$dir/apt.log" >&2; die 'docker.io cannot be installed'; }
  # From Debian 13 on the client is a package of its own.
  command -v docker >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker-cli >>"$dir/apt.log" 2>&1 ||
    { tail -n 15 "$dir/apt.log" >&2; die 'docker-cli cannot be installed'; }
}

start() {
  local version why pid
  if version=$(answers); then say "engine $version answers on $socket"; return; fi
  why=$(reason)
  [ -z "$why" ] || die "no engine answers on $socket, and none is started here: $why"
  if pid=$(ours); then die "the private engine (pid $pid) runs and does not answer: see $dir/dockerd.log"; fi
  install_engine
  if version=$(answers); then say "engine $version answers on $socket"; return; fi # the package started it
  mkdir -p "$dir"
  chmod 711 "$dir"
  rm -f "$pidfile"
  # Docker sets it to DROP and leaves it so.
  iptables -S FORWARD 2>/dev/null | sed -n 's/^-P FORWARD //p' >"$dir/forward-policy" || true
  setsid dockerd --host "$socket" --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$pidfile" \
    ${MG_TEST_ENGINE_FLAGS:-} >"$dir/dockerd.log" 2>&1 </dev/null &
  local child=$!
  for _ in $(seq 300); do
    if version=$(answers); then
      say "started engine $version on $socket (data in $dir; engine.sh stop ends it)"
      return
    fi
    kill -0 $child 2>/dev/null || break
    sleep 0.1
  done
  tail -n 15 "$dir/dockerd.log" >&2
  kill $child 2>/dev/null || true
  die "dockerd did not come up on $socket"
}

stop() {
  local pid
  if ! pid=$(ours); then say 'no private engine runs'; return; fi
  kill "$pid"
  for _ in $(seq 300); do
    if ! ours >/dev/null; then
      say 'stopped the private engine'
      # What dockerd leaves mounted below its directory keeps that from being removed.
      if [ -s "$dir/forward-policy" ]; then iptables -P FORWARD "$(<"$dir/forward-policy")" || true; fi
      if ip link show docker0 >/dev/null 2>&1; then ip link del docker0 || true; fi
      if mountpoint -q "$dir/exec/netns/default"; then umount "$dir/exec/netns/default"; fi
      return
    fi
    sleep 0.1
  done
  die "the private engine (pid $pid) does not end: see $dir/dockerd.log"
}

status() {
  local version pid
  if version=$(answers); then
    if pid=$(ours); then echo "engine $version on $socket, private (pid $pid)"; else echo "engine $version on $socket"; fi
  else
    local why; why=$(reason)
    echo "no engine answers on $socket; engine.sh start would ${why:+not }start one${why:+: $why}"
    return 1
  fi
}

case ${1:-} in
  start | stop | status) "$1" ;;
  *) sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac

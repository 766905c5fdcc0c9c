# Which Debian mirror this machine's scripts may use, and with which settings.
# Sourced, not run; its caller has `die`.

# mirror prints the mirror of this machine's own apt sources, or
# $MG_TEST_MIRROR.
mirror() {
  if [ -n "${MG_TEST_MIRROR:-}" ]; then echo "$MG_TEST_MIRROR"; return; fi
  local codename id
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  id=$(. /etc/os-release && echo "${ID:-}")
  [ "$id" = debian ] || die "this machine is not Debian: name a Debian mirror in MG_TEST_MIRROR"
  apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
    awk -v suite="$codename" '$2 == suite { print $1; exit }' | grep . ||
    die "this machine's apt sources have no suite $codename: run apt-get update, or name a mirror in MG_TEST_MIRROR"
}

# apt_options sets the array of that name to what mmdebstrap needs of this
# machine's apt configuration to reach the mirror, and no more.
apt_options() {
  local option value
  apt_options=()
  for option in Acquire::http::Proxy Acquire::https::Proxy Acquire::Check-Valid-Until; do
    value=$(apt-config dump --format '%v%n' $option)
    [ -z "$value" ] || apt_options+=("--aptopt=$option \"$value\"")
  done
}

# need_mmdebstrap installs mmdebstrap where it is missing and this user may.
need_mmdebstrap() {
  command -v mmdebstrap >/dev/null && return
  [ "$(id -u)" = 0 ] || die 'mmdebstrap is not installed (apt-get install mmdebstrap)'
  say 'installing mmdebstrap'
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mmdebstrap >&2
}

# The image that gates: the static binary, git and a shell, and servers with
# their client programs, so that no container engine is needed.
#
#   docker build -t migration-gate .
#   docker build --build-arg POSTGRES_MAJORS="16 17" --build-arg MYSQL=none -t migration-gate .
#
# BuildKit and the older builder both take it: no syntax line, no heredocs, no
# mounts.

# The runtime's base: any Debian or Ubuntu.
ARG BASE=debian:trixie-slim
# What compiles the binary: Go, a C compiler, make.
ARG GO_IMAGE=golang:1.26-bookworm

FROM ${GO_IMAGE} AS build
WORKDIR /src
# A static binary of this machine's kind in the build context, to be taken as
# it is (dist/migration-gate, by `make dist`). Then any GO_IMAGE will do.
ARG PREBUILT=
COPY go.mod go.sum ./
RUN [ -n "$PREBUILT" ] || go mod download
COPY . .
RUN set -eu; [ -n "$PREBUILT" ] || make dist; install -D "${PREBUILT:-dist/migration-gate}" /out/migration-gate

FROM ${BASE}
ARG DEBIAN_FRONTEND=noninteractive

# Packages bring no manuals and no translations; licences stay. A user that is
# given by number alone (--user 1000:1000) has no name, which PostgreSQL asks
# for: nss_wrapper lends it one.
RUN printf '%s\n' 'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/locale/*' 'path-exclude=/usr/share/doc/*' \
      'path-include=/usr/share/doc/*/copyright' >/etc/dpkg/dpkg.cfg.d/migration-gate \
 && apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git libnss-wrapper \
 && apt-get clean && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old

# PostgreSQL: majors that the base does not have come from apt.postgresql.org,
# whose key is in Debian's postgresql-common. LLVM would be a fifth of the image
# and serves only to compile expressions (jit): an empty package stands in. A
# database keeps its own collation where the C library knows the locale.
ARG POSTGRES_MAJORS="17"
ARG LOCALES="en_US.UTF-8"
RUN set -eu; [ -n "$POSTGRES_MAJORS" ] || exit 0; \
    mkdir -p /etc/postgresql-common; \
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf; \
    apt-get update; \
    servers=; for major in $POSTGRES_MAJORS; do servers="$servers postgresql-$major"; done; \
    if ! apt-get install --simulate --no-install-recommends $servers >/dev/null 2>&1; then \
      apt-get install -y --no-install-recommends postgresql-common; \
      key=/usr/share/postgresql-common/pgdg/apt.postgresql.org.asc; \
      [ -e $key ] || { echo "the base has neither$servers nor the key of apt.postgresql.org" >&2; exit 1; }; \
      . /etc/os-release; \
      echo "deb [signed-by=$key] https://apt.postgresql.org/pub/repos/apt $VERSION_CODENAME-pgdg main" >/etc/apt/sources.list.d/pgdg.list; \
      apt-get update; \
    fi; \
    for llvm in $(apt-cache depends $servers | sed -n 's/^ *Depends: \(libllvm[0-9.]*[a-z0-9]*\)$/\1/p' | sort -u); do \
      mkdir -p "/tmp/$llvm/DEBIAN"; \
      printf '%s\n' "Package: $llvm" 'Version: 1:999' 'Architecture: all' 'Maintainer: migration-gate' \
        'Description: stands in for LLVM, without which PostgreSQL compiles no expressions' >"/tmp/$llvm/DEBIAN/control"; \
      dpkg-deb --build "/tmp/$llvm" >/dev/null; dpkg --install "/tmp/$llvm.deb"; rm -r "/tmp/$llvm" "/tmp/$llvm.deb"; \
    done; \
    apt-get install -y --no-install-recommends $servers; \
    for locale in $LOCALES; do localedef --no-archive -i "${locale%%.*}" -f "${locale#*.}" "$locale"; done; \
    rm -rf /usr/lib/postgresql/*/lib/bitcode /usr/lib/postgresql/*/lib/llvmjit* /usr/share/i18n; \
    apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old

# MariaDB, mysql or none. MariaDB is the base's; of mariadb-server only the
# plugins are wanted (locks of DDL are read through one), of mariadb-client the
# dump program, and none of what they depend on. MySQL is the base's where it
# has it (Debian unstable, Ubuntu, a base with MySQL's own repository).
ARG MYSQL=mariadb
RUN set -eu; [ "$MYSQL" != none ] || exit 0; \
    apt-get update; \
    case $MYSQL in \
    mariadb) \
      apt-get install -y --no-install-recommends mariadb-server-core mariadb-client-core; \
      mkdir /tmp/debs; cd /tmp/debs; apt-get -o APT::Sandbox::User=root download mariadb-server mariadb-client; \
      for deb in *.deb; do dpkg-deb -x "$deb" unpacked; done; \
      mkdir -p /usr/lib/mysql/plugin; cp -an unpacked/usr/lib/mysql/plugin/. /usr/lib/mysql/plugin/; \
      cp -an unpacked/usr/bin/mariadb-dump unpacked/usr/bin/mysqldump /usr/bin/; \
      cd /; rm -r /tmp/debs ;; \
    mysql) \
      for core in mysql-community-server-core mysql-server-core mysql-server-core-8.4 mysql-server-core-8.0 ''; do \
        [ -z "$core" ] || ! apt-get install --simulate "$core" >/dev/null 2>&1 || break; \
      done; \
      [ -n "$core" ] || { echo 'the base has no MySQL: take one with its apt repository, or MYSQL=mariadb' >&2; exit 1; }; \
      apt-get install -y --no-install-recommends "$core" "$(echo "$core" | sed s/server/client/)"; \
      cd /usr/bin; rm -f mysqlslap mysqlimport mysqlshow mysqlcheck mysqlbinlog mysql_secure_installation mysql_config_editor mysql_migrate_keyring \
        mysql_tzinfo_to_sql myisam* innochecksum ibd2sdi perror my_print_defaults mysqld_safe mysqld_multi \
        ../lib/mysql/plugin/telemetry_client.so ../lib/mysql/plugin/authentication_*_client.so ../lib/mysql/plugin/group_replication.so ;; \
    *) echo "MYSQL=$MYSQL is none of mariadb, mysql, none" >&2; exit 1 ;; \
    esac; \
    rm -rf /var/lib/mysql; apt-get clean; rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old

# Servers run as this account where the gate is root, as actions must be. Its
# number is nobody's on the usual hosts: it shows on mounted directories.
RUN groupadd --gid 65532 migration-gate \
 && useradd --uid 65532 --gid 65532 --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin migration-gate
COPY --from=build /out/migration-gate /usr/local/bin/migration-gate
# The steps of hand-written pipelines, as plain commands.
RUN cd /usr/local/bin && for step in restore-snapshot migrate assert-lock-budget assert-safe-down destroy; do ln -s migration-gate "$step"; done \
 && mkdir /repo && migration-gate version

ENV LANG=C.UTF-8
WORKDIR /repo
ENTRYPOINT ["/usr/local/bin/migration-gate"]

ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title="migration-gate" \
      org.opencontainers.image.description="Proves a change's database migrations on a restored snapshot before they are merged" \
      org.opencontainers.image.source="https://github.com/migration-gate/migration-gate" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

#!/usr/bin/env bash
# Installs Debian's PostgreSQL for the tests of the store, where no server is at hand and that is possible. Without one the
# tests on PostgreSQL are skipped and say so, hence nothing here is a failure.
set -uo pipefail

has_server() {
  [ -n "${DATABASE_URL:-}" ] && return 0
  command -v initdb >/dev/null && command -v postgres >/dev/null && return 0
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null
}

has_server && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "there is no PostgreSQL server: the tests on it will be skipped; set DATABASE_URL, or install one (initdb and postgres)"
  exit 0
fi
echo "installing PostgreSQL for the tests of the store"
# The tests start servers of their own: the package's is not to be made.
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
{ timeout 120 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -y --no-install-recommends \
  -o Dpkg::Options::=--force-confold postgresql; } >/dev/null 2>&1
has_server || echo "PostgreSQL cannot be installed: the tests on it will be skipped; set DATABASE_URL to run them on a server elsewhere"
exit 0

#!/usr/bin/env bash
# Fetches what the browser tests need and the machine has not got: Chromium, and axe-core by the lock file of the pages'
# scripts. Without it the tests are skipped and say so, hence nothing here is a failure.
set -uo pipefail
cd "$(dirname "$0")/.."

has_browser() {
  for name in ${CHROMIUM:-} chromium chromium-browser google-chrome-stable google-chrome; do
    command -v "$name" >/dev/null && return 0
  done
  return 1
}

if ! has_browser; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Chromium for the browser tests"
    { timeout 120 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -y --no-install-recommends chromium fonts-dejavu-core; } \
      >/dev/null 2>&1 || echo "Chromium cannot be installed: the browser tests will be skipped"
  else
    echo "there is no Chromium, and only root can install it: the browser tests will be skipped"
  fi
fi

if [ ! -f dashboard/frontend/node_modules/axe-core/axe.min.js ]; then
  if command -v npm >/dev/null; then
    (cd dashboard/frontend && timeout 300 npm ci --silent >/dev/null 2>&1) || echo "axe-core cannot be fetched: the accessibility tests will be skipped"
  else
    echo "there is no npm: the accessibility tests will be skipped"
  fi
fi
exit 0

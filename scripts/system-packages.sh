#!/bin/sh
# What the tests use and pip cannot install: the ODBC driver manager and a browser.
set -eu

missing=
/sbin/ldconfig -p 2>/dev/null | grep -q 'libodbc\.so\.2' || missing="$missing unixodbc"
for browser in chromium chromium-browser google-chrome none; do
    command -v "$browser" >/dev/null 2>&1 && break
done
[ "$browser" != none ] || missing="$missing chromium"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    printf 'Installing%s with apt-get ...\n' "$missing" >&2
    # shellcheck disable=SC2086  # a list of names
    if apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
        exit 0
    fi
fi
printf 'Not installed:%s. Tests that need them are skipped. To get them:\n' "$missing" >&2
printf '  Debian, Ubuntu:  sudo apt-get install unixodbc chromium\n' >&2
printf '  macOS:           brew install unixodbc && brew install --cask chromium\n' >&2

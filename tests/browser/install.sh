#!/bin/sh
# Sees to it that there is a Chromium for the browser tests.
set -eu

if [ -n "${CHROMIUM:-}" ]; then
  [ -x "$CHROMIUM" ] && exit 0
  echo "CHROMIUM names $CHROMIUM, which is no program." >&2
  exit 1
fi

for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null 2>&1 && exit 0
done

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "Installing Chromium for the browser tests …"
  export DEBIAN_FRONTEND=noninteractive
  if apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null
  then
    exit 0
  fi
fi

cat >&2 <<'TEXT'
The browser tests need Chromium, and it is not installed.
  Debian, Ubuntu   sudo apt-get install chromium
  Fedora           sudo dnf install chromium
  elsewhere        install Chromium or Chrome, and set CHROMIUM=/path/to/it
TEXT
exit 1

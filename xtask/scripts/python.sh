#!/bin/sh
# Installs python3 and its module for virtual environments from Debian's or Ubuntu's packages. Needs root.
set -eu

# apt-get speaks at length; what it says matters only when it fails.
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -q && apt-get install -qy --no-install-recommends python3 python3-venv; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"

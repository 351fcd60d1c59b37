#!/bin/sh
# Installs redis-server from Debian's or Ubuntu's packages. Needs root.
#
# The package starts a server on port 6379 and enables it for the next boot. Nobody asked for that: Margay's
# tools start a server of their own, on a socket, whenever they need one. So the start is forbidden while
# the package unpacks, in the way Debian has for it (policy-rc.d, 101 means "not allowed"), unless the
# machine has a policy of its own; and the service is disabled afterwards. Whoever wants it can enable it.
set -eu

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

# apt-get speaks at length; what it says matters only when it fails.
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -q && apt-get install -qy --no-install-recommends redis-server; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"

update-rc.d redis-server disable >/dev/null 2>&1 || echo "note: could not disable the redis-server service" >&2

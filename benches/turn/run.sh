#!/usr/bin/env bash
# What relaying costs: madang, Debian's coturn and a bare forwarder under the same load, one after the other,
# over loopback. Each server has core 0 and the load core 1.
set -euo pipefail
# 100 000 relays are as many sockets. Where that is not allowed the row of memory says how far it came.
ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
OPEN_FILES=$(ulimit -n)
export OPEN_FILES
exec node "$(dirname "$0")/run.mjs"

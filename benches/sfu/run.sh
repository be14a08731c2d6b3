#!/usr/bin/env bash
# What forwarding costs: madang and Debian's janus under the same load, one after the other, and the
# kernel's floor below both. All of it inside a network namespace of its own, with documentation
# addresses (RFC 5737), because Janus takes no loopback addresses.
set -euo pipefail
here=$(dirname "$0")

if [ "${1-}" != inside ]; then
  # Without root, in a user namespace: the kernel may grant smaller socket buffers then.
  user=()
  [ "$(id -u)" -eq 0 ] || user=(--map-root-user)
  exec unshare "${user[@]}" --net -- "$0" inside
fi

# The kernel delivers between addresses of one machine over lo; the cable only carries their names.
ip link set lo up
ip link add load0 type veth peer name load1
for end in load0 load1; do
  ip link set "$end" addrgenmode none
  ip link set "$end" up
done
ip addr add 198.51.100.1/24 dev load0
ip addr add 198.51.100.2/24 dev load0

exec node "$here/run.mjs"

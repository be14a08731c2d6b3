#!/usr/bin/env bash
# User-space instructions for each relayed packet in the TURN core, counted by callgrind: what N more packets
# take, divided by N, so that setting up is taken off. RELAY names the built example.
set -euo pipefail
relay=${RELAY:-target/release/examples/relay}
packets=${PACKETS:-20000}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Instructions of relaying so many packets.
count() {
  valgrind --tool=callgrind --callgrind-out-file="$out/$1-$2-$3" "$relay" "$1" "$2" "$3" 2>&1 |
    awk '/ packets relayed/{relayed=$1} /Collected/{total=$4} END{if (!relayed) exit 1; print total}'
}

printf '| direction | allocations | instructions per relayed packet |\n| --- | ---: | ---: |\n'
for direction in client-to-peer peer-to-client client-to-client; do
  for allocations in 2 100; do
    few=$(count "$direction" "$allocations" "$packets")
    many=$(count "$direction" "$allocations" $((2 * packets)))
    printf '| %s | %s | %s |\n' "${direction//-/ }" "$allocations" $(((many - few) / packets))
  done
done

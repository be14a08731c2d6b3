#!/usr/bin/env bash
# User-space instructions for each forwarded packet, counted by callgrind: a figure that does not depend on
# how busy a machine is. Everything in memory; the forwarder's own instructions alone are counted, and what
# joining took is taken off by running for two lengths of time. EGRESS names the built example.
set -euo pipefail
egress=${EGRESS:-target/release/examples/egress}
subscribers=${SUBSCRIBERS:-20}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# Prints packets and instructions of so many seconds.
count() {
  valgrind --tool=callgrind --toggle-collect='madang_media::sfu::Sfu::handle_input' --callgrind-out-file="$out" \
    "$egress" "$subscribers" "$1" "$2" 2>&1 | awk '/ packets, /{packets=$6} /Collected/{total=$4} END{print packets, total}'
}

printf '| gather | subscribers | instructions per packet |\n| --- | ---: | ---: |\n'
for gather in 0 1 4; do
  read -r few begun < <(count 1 "$gather")
  read -r many ended < <(count 3 "$gather")
  printf '| %s ms | %s | %s |\n' "$gather" "$subscribers" $(((ended - begun) / (many - few)))
done

#!/usr/bin/env bash
# User-space instructions for each forwarded packet, counted by callgrind: a figure that does not depend on
# how busy a machine is. Everything in memory; the forwarder's own instructions alone are counted, and what
# joining took is taken off by running for two lengths of time. EGRESS names the built example.
set -euo pipefail
egress=${EGRESS:-target/release/examples/egress}
subscribers=${SUBSCRIBERS:-20}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Runs for so many seconds; prints packets and instructions.
count() {
  valgrind --tool=callgrind --toggle-collect='madang_media::sfu::Sfu::handle_input' \
    --callgrind-out-file="$out/$1-$2" "$egress" "$subscribers" "$1" "$2" 2>&1 |
    awk '/ packets, /{packets=$6} /Collected/{total=$4} END{print packets, total}'
}

# Instructions of one run within a function and all that it calls; 0 where it has no symbol of its own.
within() {
  callgrind_annotate --auto=no --inclusive=yes --threshold=100 "$out/$1" 2>/dev/null | tr -d , |
    awk -v name=":$2 \\[" '$0 ~ name && $1 > most { most = $1 } END { printf "%d", most }'
}

printf '| gather | subscribers | instructions per packet |\n| --- | ---: | ---: |\n'
for gather in 0 1 4; do
  read -r few begun < <(count 1 "$gather")
  read -r many ended < <(count 3 "$gather")
  printf '| %s ms | %s | %s |\n' "$gather" "$subscribers" $(((ended - begun) / (many - few)))
done

# Where they go, with a gather of a millisecond.
read -r few _ < <(count 1 1)
read -r many _ < <(count 3 1)
each() { echo $((($(within 3-1 "$1") - $(within 1-1 "$1")) / (many - few))); }
all=$(each '.*Sfu::handle_input')
seal=$(each '.*seal::Sealer::rtp')
write=$(each '.*egress::Egress::write')
estimator=$(($(each '.*Estimator::sent') + $(each '.*Estimator::feedback')))
decision=$(each '.*Subscription>::pass')
str0m=$(($(each '.*Rtc::handle_input') + $(each '.*Rtc::poll_output')))
printf '\n| part | instructions per packet |\n| --- | ---: |\n'
printf '| %s | %s |\n' \
  'sealing' "$seal" \
  'header, copy of the payload, history (egress)' $((write - seal - $(each '.*Estimator::sent'))) \
  'estimator: what is sent, feedback' "$estimator" \
  'the decision and new numbers' "$decision" \
  'str0m: what comes in, decrypted; timers; polls' "$str0m" \
  'the rest: demultiplexing, timers, rooms' $((all - write - $(each '.*Estimator::feedback') - decision - str0m))

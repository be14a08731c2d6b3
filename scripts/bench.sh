#!/usr/bin/env bash
# make bench: what docs/performance.md shows, measured on this machine. Arguments pick: join, signal, sfu, turn, mixer, instructions.
source "$(dirname "$0")/lib.sh"
scripts/test-needs.sh
scripts/build.sh
export MADANG_BIN=$PWD/target/release/madang

wanted() {
  local each
  [ $# -gt 1 ] || return 0
  for each in "${@:2}"; do [ "$each" != "$1" ] || return 0; done
  return 1
}
if wanted join "$@"; then
  say "From the click on Join to the first picture"
  node benches/join.mjs
fi
if wanted signal "$@"; then
  say "Signaling: idle participants, relayed messages"
  "$MADANG_BIN" loadtest signal
fi
if wanted sfu "$@"; then
  say "Forwarding: madang, Debian's janus, and the kernel alone"
  want "janus, to compare with" "janus" have janus
  install_missing
  benches/sfu/run.sh
fi
if wanted turn "$@"; then
  say "Relaying: madang, Debian's coturn, and a bare forwarder"
  want "coturn, to compare with" "coturn" have turnserver
  install_missing
  benches/turn/run.sh
fi
if wanted mixer "$@"; then
  say "Mixing: madang, Debian's ffmpeg and GStreamer"
  want "ffmpeg, to compare with" "ffmpeg" have ffmpeg
  want "GStreamer, to compare with" "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good" have gst-launch-1.0
  install_missing
  benches/mixer/run.sh
  say "Mixing live: the delay that it adds, what it does to forwarding beside it, and two minutes of it"
  node benches/mixer/delay.mjs
  node benches/mixer/beside.mjs
  node benches/mixer/long.mjs
fi
if wanted instructions "$@"; then
  say "Forwarding and relaying: instructions for each packet"
  want "valgrind, to count instructions" "valgrind" have valgrind
  install_missing
  cargo build --release --locked --package madang-media --example egress
  benches/sfu/instructions.sh
  cargo build --release --locked --package madang-turn --example relay
  benches/turn/instructions.sh
fi

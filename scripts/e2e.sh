#!/usr/bin/env bash
# The browser tests, on the release binary. Arguments pick files by name: scripts/e2e.sh mesh relay
source "$(dirname "$0")/lib.sh"
scripts/test-needs.sh
if [ -z "${MADANG_BIN:-}" ]; then
  say "Building the release binary"
  scripts/build.sh
  export MADANG_BIN=$PWD/target/release/madang
fi
if [ -z "${NATLAB_BIN:-}" ]; then
  cargo build --locked -p madang-lab --bin natlab
  export NATLAB_BIN=$PWD/target/debug/natlab
fi
say "End to end, in real browsers"
exec node tests/e2e/run.mjs "$@"

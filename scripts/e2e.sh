#!/usr/bin/env bash
# The browser tests, on the release binary. Arguments pick files by name: scripts/e2e.sh mesh relay
source "$(dirname "$0")/lib.sh"
scripts/test-needs.sh
if [ -z "${MADANG_BIN:-}" ]; then
  say "Building the release binary"
  scripts/build.sh
  export MADANG_BIN=$PWD/target/release/madang
fi
say "End to end, in real browsers"
exec node tests/e2e/run.mjs "$@"

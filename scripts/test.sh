#!/usr/bin/env bash
# make test: every test there is.
source "$(dirname "$0")/lib.sh"
scripts/test-needs.sh

say "Rust: unit, property and integration tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --locked
  cargo test --workspace --locked --doc
else
  cargo test --workspace --locked
fi

say "Fuzz targets, each on its seeds"
REPLAY=1 scripts/fuzz.sh
if [ "${NATLAB_FULL:-}" = 1 ]; then SECONDS_EACH=30 scripts/fuzz.sh; fi

say "Web: unit tests"
# Node 18 hides the `crypto` that every browser has.
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || export NODE_OPTIONS=--experimental-global-webcrypto
npm test --silent --prefix web

scripts/e2e.sh

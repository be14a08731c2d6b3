#!/usr/bin/env bash
# Formats everything that `make lint` checks.
source "$(dirname "$0")/lib.sh"
build_needs
node_needs
node_packages web
cargo fmt --all
web/node_modules/.bin/prettier --log-level warn --write web tests/e2e benches

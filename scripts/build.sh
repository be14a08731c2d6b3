#!/usr/bin/env bash
# Builds the release binary.
source "$(dirname "$0")/lib.sh"
build_needs
cargo build --release --locked -p madang "$@"

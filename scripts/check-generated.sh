#!/usr/bin/env bash
# What is generated from the Rust messages is what a generation now would give; and the SDK's
# declarations can be made from its JSDoc.
source "$(dirname "$0")/lib.sh"
cargo test --quiet --locked -p madang-protocol --test generated >&2
npm run --silent types --prefix web

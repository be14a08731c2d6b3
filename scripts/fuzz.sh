#!/usr/bin/env bash
# Runs every fuzz target for SECONDS_EACH seconds (60 without it).
source "$(dirname "$0")/lib.sh"
build_needs
rustup toolchain list 2>/dev/null | grep -q nightly || die "Fuzzing needs Rust's nightly toolchain: rustup toolchain install nightly"
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
want "a C++ compiler, for libFuzzer" "g++" have c++
install_missing
for target in $(cargo +nightly fuzz list); do
  say "fuzz $target"
  cargo +nightly fuzz run "$target" -- -max_total_time="${SECONDS_EACH:-60}"
done

#!/usr/bin/env bash
# Runs every fuzz target for SECONDS_EACH seconds (60 without it); ONLY='a b' picks some.
# CHECK=1 only sees whether they still compile.
#
# With Rust's nightly toolchain under AddressSanitizer; on stable without it, which finds panics,
# overflows and endless loops all the same.
source "$(dirname "$0")/lib.sh"
build_needs
want "a C++ compiler, for libFuzzer" "g++" have c++
install_missing
if [ -n "${CHECK:-}" ]; then
  cargo check --quiet --locked --manifest-path fuzz/Cargo.toml --target-dir target/fuzz
  exit
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
fuzz=(cargo fuzz)
options=(--sanitizer none)
if rustup toolchain list 2>/dev/null | grep -q nightly; then
  fuzz=(cargo +nightly fuzz)
  options=()
fi
for target in ${ONLY:-$("${fuzz[@]}" list)}; do
  say "fuzz $target"
  "${fuzz[@]}" run "${options[@]}" "$target" -- -max_total_time="${SECONDS_EACH:-60}" -print_final_stats=1
done

#!/usr/bin/env bash
# Runs every fuzz target for SECONDS_EACH seconds (60 without it); TARGETS='a b' picks some.
# REPLAY=1 builds all of them and gives each its seeds alone, which takes seconds.
#
# With Rust's nightly toolchain under AddressSanitizer; on stable without it, which finds panics,
# overflows and endless loops all the same.
source "$(dirname "$0")/lib.sh"
build_needs
want "a C++ compiler, for libFuzzer" "g++" have c++
install_missing
targets=${TARGETS:-$(sed -n 's#^path = "fuzz_targets/\(.*\)\.rs"#\1#p' fuzz/Cargo.toml)}

if [ -n "${REPLAY:-}" ]; then
  cargo build --quiet --locked --manifest-path fuzz/Cargo.toml --target-dir target
  for target in $targets; do
    # Single files are run as they are; without the coverage that only cargo-fuzz builds in, nothing is made of them.
    seeds=(fuzz/seeds/"$target"/*)
    [ -e "${seeds[0]}" ] || die "The fuzz target $target has no seeds: put some of what make fuzz finds into fuzz/seeds/$target."
    "target/debug/$target" "${seeds[@]}" >target/fuzz-replay.log 2>&1 || {
      tail -40 target/fuzz-replay.log >&2
      die "The fuzz target $target fails on one of its seeds: see above."
    }
  done
  exit
fi

cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
fuzz=(cargo fuzz)
options=(--sanitizer none)
if rustup toolchain list 2>/dev/null | grep -q nightly; then
  fuzz=(cargo +nightly fuzz)
  options=()
fi
for target in $targets; do
  say "fuzz $target"
  mkdir -p "fuzz/corpus/$target"
  "${fuzz[@]}" run "${options[@]}" "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
    -max_total_time="${SECONDS_EACH:-60}" -print_final_stats=1
done

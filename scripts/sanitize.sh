#!/usr/bin/env bash
# The codecs under AddressSanitizer: their tests, garbage above all. What is built along in C and
# C++ (OpenH264, libopus, our few lines) is instrumented; of the system's libvpx and dav1d the heap is watched.
source "$(dirname "$0")/lib.sh"
build_needs
want "a C++ compiler with its sanitizers" "g++" have c++
install_missing

target=$(rustc -vV | sed -n 's/^host: //p')
flags="-fsanitize=address -fno-omit-frame-pointer -g"
# For what runs on the target alone: build scripts and macros are built without.
name=${target//-/_}
export "CFLAGS_$name=$flags" "CXXFLAGS_$name=$flags"
upper=$(tr '[:lower:]' '[:upper:]' <<<"$name")
export "CARGO_TARGET_${upper}_RUSTFLAGS=-Clink-arg=-Wl,--no-as-needed -Clink-arg=-lasan"
# Before the C library, whose malloc it takes the place of.
export "CARGO_TARGET_${upper}_RUNNER=env LD_PRELOAD=$(c++ -print-file-name=libasan.so)"
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=1

cargo test --quiet --locked --package madang-codec --target "$target" --target-dir target/sanitized

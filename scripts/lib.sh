# Shared by the other scripts: messages, and installing what is missing. Source it; don't run it.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
die() {
  printf '\n%s\n' "$@" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# What a script needs: want "what it is" "Debian packages" check-command…
missing_packages=()
missing_words=()
want() {
  local words=$1 packages=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  missing_words+=("$words (Debian and Ubuntu: $packages)")
  # shellcheck disable=SC2206
  missing_packages+=($packages)
}

# Installs what `want` found missing, or says what to install.
install_missing() {
  [ ${#missing_packages[@]} -gt 0 ] || return 0
  if ! have apt-get; then
    die "Missing on this machine:" "${missing_words[@]/#/  - }" "Please install them with your package manager, then run this again."
  fi
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    have sudo || die "Missing on this machine:" "${missing_words[@]/#/  - }" "As root, run: apt-get install ${missing_packages[*]}"
    root=(sudo)
  fi
  say "Installing: ${missing_packages[*]}"
  local keep_stopped=
  # A package may bring a service (coturn does) that must not start on its own.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    keep_stopped=1
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee /usr/sbin/policy-rc.d >/dev/null
    "${root[@]}" chmod +x /usr/sbin/policy-rc.d
  fi
  local status=0
  "${root[@]}" apt-get update -qq || true
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing_packages[@]}" >&2 || status=$?
  [ -z "$keep_stopped" ] || "${root[@]}" rm -f /usr/sbin/policy-rc.d
  [ "$status" -eq 0 ] || die "apt-get could not install: ${missing_packages[*]}"
  missing_packages=()
  missing_words=()
}

is_ubuntu() { [ -r /etc/os-release ] && grep -q '^ID=ubuntu' /etc/os-release; }

# Whether `cc` compiles and links a program that uses the C library: having the name alone is not enough.
c_compiler_works() {
  local out
  out=$(mktemp)
  printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' | cc -x c -o "$out" - 2>/dev/null && "$out"
  local status=$?
  rm -f "$out"
  return $status
}

rust_version_wanted() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

rust_is_new_enough() {
  local found
  found=$(rustc --version | cut -d' ' -f2)
  [ "$(printf '%s\n' "$(rust_version_wanted)" "$found" | sort -V | head -1)" = "$(rust_version_wanted)" ]
}

# What a build needs: Rust, a C compiler for the cryptography (aws-lc), cmake for Opus, a C++ compiler
# and nasm for H.264 (OpenH264; without nasm it builds, and is several times as slow), and the
# libraries for VP8, VP9 and AV1.
build_needs() {
  have cargo || PATH="$HOME/.cargo/bin:$PATH"
  have cargo || die "Rust is missing. Install it with rustup, from https://rustup.rs, then run this again."
  rust_is_new_enough || die "Rust $(rust_version_wanted) or newer is needed; this is $(rustc --version)." "Run: rustup update stable"
  want "a C compiler with the C library's headers" "gcc libc6-dev" c_compiler_works
  want "cmake" "cmake" have cmake
  want "a C++ compiler" "g++" have c++
  [ "$(uname -m)" != x86_64 ] || want "nasm" "nasm" have nasm
  want "pkg-config" "pkg-config" have pkg-config
  want "libvpx with its headers" "libvpx-dev" pkg-config --atleast-version=1.8 vpx
  want "dav1d with its headers" "libdav1d-dev" pkg-config --atleast-version=1.0 dav1d
  install_missing
}

# What the tests and the checks of the web files need.
node_needs() {
  want "Node.js 18 or newer" "nodejs" have node
  want "npm" "npm" have npm
  install_missing
  local major
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 18 ] || die "Node.js 18 or newer is needed; this is $(node --version)."
}

# npm ci, when the lock file changed since the last time.
node_packages() {
  local dir=$1
  [ -e "$dir/package-lock.json" ] || return 0
  if ! cmp -s "$dir/package-lock.json" "$dir/node_modules/.installed-lock.json"; then
    say "npm ci in $dir"
    npm ci --no-fund --no-audit --loglevel=error --prefix "$dir" >&2
    cp "$dir/package-lock.json" "$dir/node_modules/.installed-lock.json"
  fi
}

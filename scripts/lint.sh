#!/usr/bin/env bash
# make lint: everything that can be checked without running the program.
source "$(dirname "$0")/lib.sh"
build_needs
node_needs
node_packages web
node_packages tests/e2e

for component in rustfmt clippy; do
  cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
done

say "Rust: formatting and clippy"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings

say "Web: formatting, types, generated files"
web/node_modules/.bin/prettier --log-level warn --check web tests/e2e benches
npm run --silent check --prefix web
scripts/check-generated.sh

say "Sizes, scripts"
scripts/check-files.sh

say "Dependencies: licences, sources, duplicates, advisories"
cargo deny --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny
cargo deny --locked --log-level warn check bans licenses sources
if cargo deny --locked fetch db >/dev/null 2>&1; then
  cargo deny --locked --log-level warn check advisories
else
  echo "The advisory database could not be reached: known vulnerabilities were NOT checked this time." >&2
fi
say "lint: all well"

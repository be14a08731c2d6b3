#!/usr/bin/env bash
# Removes what was built or fetched into this tree.
source "$(dirname "$0")/lib.sh"
rm -rf target .venv web/node_modules tests/e2e/node_modules fuzz/target

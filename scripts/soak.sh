#!/usr/bin/env bash
# make soak: people come and go at random for MINUTES (10 without it); then memory and open files have to be flat.
# SEED replays a run; arguments are passed on to `madang loadtest soak`.
source "$(dirname "$0")/lib.sh"
scripts/build.sh
more=()
[ -z "${SEED:-}" ] || more=(--seed "$SEED")
say "Soak: ${MINUTES:-10} minutes of joins and leaves"
exec target/release/madang loadtest soak --minutes "${MINUTES:-10}" "${more[@]}" "$@"

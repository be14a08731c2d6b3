#!/usr/bin/env bash
# make run: builds madang and serves. LAN=1 opens it to the network on purpose, to try it with a phone.
source "$(dirname "$0")/lib.sh"
scripts/build.sh

if [ "${LAN:-}" = 1 ]; then
  export MADANG__AUTH__OPEN=${MADANG__AUTH__OPEN:-true}
  export MADANG__HTTP__LISTEN=${MADANG__HTTP__LISTEN:-0.0.0.0:8443}
  export MADANG__TLS__MODE=${MADANG__TLS__MODE:-self-signed}
  export MADANG__TURN__LISTEN=${MADANG__TURN__LISTEN:-'["0.0.0.0:3478"]'}
  export MADANG__MEDIA__LISTEN=${MADANG__MEDIA__LISTEN:-0.0.0.0:3480}
  export MADANG__TURN__TLS_LISTEN=${MADANG__TURN__TLS_LISTEN:-'["0.0.0.0:5349"]'}
fi
exec target/release/madang serve "$@"

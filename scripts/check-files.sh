#!/usr/bin/env bash
# Files short enough to read, shell scripts that parse, lock files without registry hosts.
source "$(dirname "$0")/lib.sh"
status=0

too_long() { # too_long LINES PATTERN…
  local most=$1
  shift
  git ls-files -z -- "$@" | xargs -0 -r wc -l | awk -v most="$most" '$2 != "total" && $1 > most { print "  " $1 " lines, at most " most ": " $2; bad = 1 } END { exit bad }' >&2
}
too_long 800 '*.rs' '*.mjs' '*.py' '*.sh' || status=1
too_long 400 'web/**/*.js' 'web/**/*.css' 'web/**/*.html' || status=1

for script in scripts/*.sh .ci/run; do
  bash -n "$script" || status=1
done

if git ls-files -z -- '*package-lock.json' | xargs -0 -r grep -lE '"resolved": "(https?|git)' >&2; then
  echo "These lock files name a registry host. Set omit-lockfile-registry-resolved=true and make them again." >&2
  status=1
fi
exit $status

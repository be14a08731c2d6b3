#!/usr/bin/env bash
# What mixing costs: madang, ffmpeg (xstack, libvpx) and GStreamer (compositor, vp8enc), each as fast as it can, of the
# same files into the same picture, one after the other on one core.
set -euo pipefail
MEDIA=${MEDIA:-../shared/media}
if [ ! -e "$MEDIA/s1.webm" ]; then
  echo "MEDIA has to name a folder with s1.webm to s9.webm (640x360, VP8), s1-180.webm to s9-180.webm (320x180)" >&2
  echo "and still.webm (640x360, one picture that never changes), of ten seconds each." >&2
  exit 1
fi
export MEDIA
exec node "$(dirname "$0")/run.mjs"

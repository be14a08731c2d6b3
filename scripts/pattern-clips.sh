#!/usr/bin/env bash
# Makes the clips that `madang join --publish pattern` and `madang loadtest room` send: the same moving
# picture in three sizes, VP8 with three temporal layers (0 2 1 2), 30 frames/s, a keyframe in every 32.
# They are in the repository, so this is needed only to change them. Needs ffmpeg with libvpx.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../crates/client/assets"

clip() {
  local width=$1 height=$2 kbps=$3
  ffmpeg -v error -y -f lavfi -i testsrc2=size=1280x720:rate=30:duration=5 -frames:v 128 \
    -vf "scale=$width:$height:flags=area" -c:v libvpx -deadline realtime -cpu-used -4 -lag-in-frames 0 \
    -auto-alt-ref 0 -error-resilient default -g 32 -keyint_min 32 \
    -b:v "${kbps}k" -minrate "${kbps}k" -maxrate "${kbps}k" -bufsize "$((kbps / 2))k" \
    -ts-parameters "ts_number_layers=3:ts_target_bitrate=$((kbps / 2)),$((kbps * 7 / 10)),$kbps:ts_rate_decimator=4,2,1:ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3" \
    -fflags +bitexact -flags:v +bitexact "pattern-$height.ivf"
}

clip 320 180 150
clip 640 360 500
clip 1280 720 1500

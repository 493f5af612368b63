#!/bin/sh
# Makes the test pattern's files again. Needs ffmpeg with libvpx, libaom and libopus,
# and a font that fontconfig finds. Only ever run by hand: the results are committed,
# so that neither building nor using Sotto needs an encoder.
#
# The picture (640x360, 15 frames a second, 60 frames, a key frame every 15): seven
# SMPTE colour bars that stand still, so that a test can sample them; below them a white block
# that walks to the right and the frame's number, so that a person sees motion and order.
set -eu
cd "$(dirname "$0")"

picture="smptebars=size=640x360:rate=15:duration=4,format=yuv420p,\
drawbox=x=0:y=240:w=640:h=120:color=black:t=fill,\
drawtext=font=monospace:fontsize=64:fontcolor=white:x=24:y=272:text='%{eif\:n\:d\:2}'"
walker="color=white:size=40x80:rate=15:duration=4"
graph="$picture[bars];$walker[w];[bars][w]overlay=x='160+mod(n*8,440)':y=260"

encode() { # name, then encoder options
	name=$1
	shift
	ffmpeg -v error -y -filter_complex "$graph" -frames:v 60 -pix_fmt yuv420p -threads 1 \
		-g 15 -keyint_min 15 -flags +bitexact -fflags +bitexact "$@" "$name"
}

encode pattern.vp8.ivf -c:v libvpx -deadline realtime -cpu-used 4 -lag-in-frames 0 -auto-alt-ref 0 -b:v 250k
encode pattern.vp9.ivf -c:v libvpx-vp9 -deadline realtime -cpu-used 6 -lag-in-frames 0 -auto-alt-ref 0 -b:v 200k
encode pattern.av1.ivf -c:v libaom-av1 -usage realtime -cpu-used 7 -lag-in-frames 0 -b:v 200k

# A 440 Hz tone, one channel, frames of 20 ms. Four seconds hold a whole number of periods.
ffmpeg -v error -y -f lavfi -i "sine=frequency=440:sample_rate=48000:duration=4" -af "volume=4" \
	-c:a libopus -b:a 32k -vbr off -frame_duration 20 -application lowdelay \
	-flags +bitexact -fflags +bitexact tone.ogg

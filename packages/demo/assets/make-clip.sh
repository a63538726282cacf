#!/bin/sh
# Makes clip.mp4 from one photograph: make-clip.sh PHOTOGRAPH [FFMPEG]
#
# The camera stands still for four seconds while two heads of dandelion, cut from the same photograph, drift through
# the picture; then it moves slowly towards the large head. So motion detection sees first two small things, then all.
set -eu
photograph=$1
ffmpeg=${2:-ffmpeg}
here=$(cd "$(dirname "$0")" && pwd)

"$ffmpeg" -hide_banner -loglevel error -y -i "$photograph" -filter_complex "
  [0:v]split[whole][part];
  [whole]scale=3840:-2,crop=3840:2160,
    zoompan=z='1+if(gt(on,120),0.25*(1-cos(PI*(on-120)/150))/2,0)':
    x='(iw-iw/zoom)*0.15':y='(ih-ih/zoom)*0.35':d=270:s=1280x720:fps=30[camera];
  [part]crop=740:740:3975:1930,scale=130:130,format=rgba,
    geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='255*clip(1.6-1.6*hypot(X-65,Y-65)/62,0,1)',
    loop=269:1,fps=30,setpts=N/30/TB,split[near][a];
  [a]scale=70:70[far];
  [camera][far]overlay=x='1300-t*150':y='210+40*sin(t*1.6)':shortest=1[one];
  [one][near]overlay=x='-140+t*165':y='470-t*22+30*sin(t*2.1)':shortest=1,format=yuv420p[out]
" -map "[out]" -frames:v 270 -r 30 -c:v libx264 -preset veryslow -crf 25 -g 60 -bf 2 \
  -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv \
  -movflags +faststart -map_metadata -1 -fflags +bitexact -flags:v +bitexact -an "$here/clip.mp4"

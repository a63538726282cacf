#!/usr/bin/env bash
# Runs a command as root in the lab's kernel, and ends with the command's status.
#
#   run.sh COMMAND [ARGUMENT...]
#
# The lab sees this machine's files, and what it writes there is really written. It starts in about a second, in the
# current folder, with one processor and no network. LAB_MEMORY (default 1024M) is what it has for itself, LAB_SECONDS
# (default 300) how long it may take before it is killed (status 124).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kernel=$("$here/build.sh")
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT

printf '%q ' "$@" > "$box/command"
{
  echo '#!/bin/sh'
  echo 'mount -t proc proc /proc'
  echo 'mount -t sysfs sysfs /sys'
  echo 'mount -t debugfs debugfs /sys/kernel/debug'
  echo '[ -c /dev/udmabuf ] || mount -t devtmpfs devtmpfs /dev'
  echo 'mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm'
  echo 'mount -t tmpfs tmpfs /run'
  printf 'export PATH=%q HOME=%q\n' "$PATH" "${HOME:-/root}"
  printf 'cd %q\n' "$PWD"
  printf 'sh %q < /dev/null\n' "$box/command"
  printf 'echo $? > %q\n' "$box/status"
  echo 'busybox poweroff -f'
} > "$box/init"
chmod +x "$box/init"

# Two cameras, which take injected errors: one gives images in one plane, the other in several. Two virtual graphics devices come by themselves.
cameras='vivid.n_devs=2 vivid.multiplanar=1,2'
root='root=/dev/root rootfstype=hostfs rootflags=/ rw'
console='con=null con0=null,fd:1 stderr=0 quiet'
# shellcheck disable=SC2086 -- these are several arguments
timeout "${LAB_SECONDS:-300}" "$kernel" "mem=${LAB_MEMORY:-1024M}" $root "init=$box/init" $console $cameras < /dev/null 2>&1 \
  | grep -v --line-buffered -e '^epollctl add err' -e '^reboot: ' || true
exit "$(cat "$box/status" 2> /dev/null || echo 124)"

#!/usr/bin/env bash
# Builds the lab's kernel: a User-Mode Linux, which runs as an ordinary process, with every part that deals in dma-bufs.
#
#   build.sh           builds it if it is not there yet, tells of its progress on stderr, and prints its path
#   build.sh --path    only prints the path that it has or would have
#   build.sh --missing prints why it cannot be built here, a line for each reason; nothing if it can or need not be
#
# The kernel stands in a cache under the hash of this folder's recipe: it is built once, in about five minutes on two
# cores. The source and the tools are Debian's packages, which are installed where that is allowed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=6.12
packages=("linux-source-$version" build-essential flex bison bc libelf-dev xz-utils busybox-static)
recipe=$(cat "$here/kernel.config" "$here/patch.sh" | sha256sum | cut -c1-16)
cache=${DMABUF_KERNEL_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/dmabuf-kernel-lab}
kernel=$cache/linux-$version-$recipe

main() {
  case ${1:-} in
    --path) echo "$kernel" ;;
    --missing) missing ;;
    '')
      if ! is_complete; then
        local reasons
        reasons=$(missing)
        if [[ -n $reasons ]]; then
          say "cannot be built: ${reasons//$'\n'/; }"
          exit 3
        fi
        { install && build; } >&2
      fi
      echo "$kernel"
      ;;
    *) say "no option $1" && exit 2 ;;
  esac
}

is_complete() {
  [[ -x $kernel ]] && command -v busybox > /dev/null
}

missing() {
  if [[ $(uname -sm) != 'Linux x86_64' ]]; then
    echo "it runs on Linux on x86-64 only, and this is $(uname -sm)"
    return
  fi
  if is_complete || [[ -z $(absent) ]]; then return; fi
  if ! command -v apt-get > /dev/null; then
    echo 'its source and tools are packages of Debian, and there is no apt-get'
  elif [[ $(id -u) != 0 ]]; then
    echo "these packages are not installed, and only root may install them: $(absent)"
  fi
}

# The packages that are not installed.
absent() {
  local package list=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}\n' "$package" 2> /dev/null | grep -q ' installed$' || list+=("$package")
  done
  echo "${list[*]}"
}

install() {
  local list
  list=$(absent)
  if [[ -z $list ]]; then return; fi
  say "installing $list"
  apt update
  # shellcheck disable=SC2086 -- several words are meant
  apt install -y --no-install-recommends $list > /dev/null
}

# apt-get, once no other is at work: it can wait for the lock of dpkg, and not for that of its own lists.
apt() {
  local errors
  errors=$(mktemp)
  until DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=-1 "$@" 2> "$errors"; do
    grep -q 'Could not get lock' "$errors" || { cat "$errors"; rm "$errors"; exit 1; }
    sleep 1
  done
  cat "$errors"
  rm "$errors"
}

build() {
  if [[ -x $kernel ]]; then return; fi
  mkdir -p "$cache"
  # Two that build at once would only be slower: the second waits, and finds it there.
  exec 9> "$cache/lock"
  flock --nonblock 9 || { say 'waiting for another build'; flock 9; }
  if [[ -x $kernel ]]; then return; fi
  # What a build that was killed has left.
  rm -rf "$cache"/build.* "$cache"/*.part

  local work
  work=$(mktemp -d "$cache/build.XXXXXX")
  # shellcheck disable=SC2064 -- the folder of now
  trap "rm -rf '$work'" EXIT
  mkdir "$work/source" "$work/objects"
  say "unpacking Linux $version"
  tar -xf "/usr/src/linux-source-$version.tar.xz" -C "$work/source" --strip-components=1
  (cd "$work/source" && bash "$here/patch.sh")
  say 'configuring'
  make -s -C "$work/source" ARCH=um O="$work/objects" KCONFIG_ALLCONFIG="$here/kernel.config" allnoconfig > "$work/log" 2>&1 \
    || failed "$work/log"
  check_config "$work/objects/.config"
  say "compiling on $(nproc) cores; this happens once and takes some minutes"
  make -C "$work/objects" ARCH=um -j"$(nproc)" 2>&1 | tee "$work/log" \
    | awk '/^  (CC|AR|LD) / && ++files % 200 == 0 { print "kernel lab: compiled " files " files"; fflush() }' \
    || failed "$work/log"
  strip -o "$kernel.part" "$work/objects/linux"
  mv "$kernel.part" "$kernel"
  # What other recipes left behind.
  find "$cache" -maxdepth 1 -name 'linux-*' -not -name "$(basename "$kernel")" -mtime +30 -delete
  say "built $kernel"
}

# An option that the kernel's configuration dropped, because it depends on another, would be missed much later.
check_config() {
  local line
  while read -r line; do
    [[ $line == CONFIG_* ]] || continue
    grep -qxF "$line" "$1" || { say "the configuration did not take $line"; exit 1; }
  done < "$here/kernel.config"
}

failed() {
  tail -n 30 "$1"
  say 'the build failed'
  exit 1
}

say() {
  echo "kernel lab: $*" >&2
}

main "$@"

#!/bin/bash
# get-asterisk.sh DEST [whole] - puts a complete Asterisk into the folder DEST, without root and without touching the machine.
#
# The packages come from the Debian mirror that this machine's own apt uses, by a private apt state, with
# signatures checked; they are unpacked, never installed. About 17 MB to load and 10 seconds; `whole` takes all that the
# packages depend on (67 MB), for modules that Offhook does not load itself, such as CURL(). A complete tree is
# left alone. A tree is made beside DEST and renamed, so DEST is either absent or whole.
# Prints one line on what it does; on failure one sentence on stderr and exit code 1.
set -euo pipefail

OLDEST=20                     # CEL through res_cdrel and the advanced event filters of AMI need Asterisk 20.12 or later
SUITES=(sid forky)            # the suites of Debian that carry Asterisk; same version, forky is the calmer mirror
STAMP=offhook-asterisk.stamp  # written last: its presence says that the tree is whole
LAYOUT=1                      # raise it when a tree made by an older script will not do
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MODULE_LIST=$HERE/../server/pbx/asterisk/config/modules.ts

# What a PBX with our module list really maps into memory, found by reading /proc/PID/maps. Library packages carry their
# soname in their name and will be renamed one day: `fetch` then lets apt resolve all dependencies (67 MB instead of 17).
LEAN="asterisk asterisk-modules asterisk-core-sounds-en-gsm libc6 libssl3t64 zlib1g libzstd1 libxslt1.1 libxml2-16 libuuid1
 liburiparser1 libtinfo6 libsystemd0 libstdc++6 libsqlite3-0 libmd0 libjansson4 libgsm1 libgcc-s1 libedit2 libcrypt1 libcap2
 libbsd0 libsrtp2-1 libcurl4t64"
ROOTS="asterisk asterisk-modules asterisk-core-sounds-en-gsm"

fail() { echo "get-asterisk: $*" >&2; exit 1; }

modules() { sed -n "s/^ *'\([a-z0-9_]*\.so\)',.*$/\1/p" "$MODULE_LIST"; }

# complete TREE: made by this layout of the script, and every module that we load is there
complete() {
  grep -qsx "layout=$LAYOUT" "$1/$STAMP" || return 1
  local libraries name
  libraries=$(sed -n 's/^libraries=//p' "$1/$STAMP")
  while read -r name; do [ -e "$1/$libraries/asterisk/modules/$name" ] || return 1; done < <(modules)
}

check_machine() {
  local tool
  [ -r "$MODULE_LIST" ] || fail "the list of modules is missing from the project ($MODULE_LIST)"
  for tool in apt-get dpkg dpkg-deb tar; do
    command -v "$tool" >/dev/null || fail "this machine has no $tool; install Asterisk $OLDEST or later and put it on the PATH"
  done
  ARCH=$(dpkg --print-architecture)
  case $ARCH in
    amd64) LIBRARIES=usr/lib/x86_64-linux-gnu ;;
    arm64) LIBRARIES=usr/lib/aarch64-linux-gnu ;;
    *) fail "no Asterisk for the architecture $ARCH is known; install Asterisk $OLDEST or later and put it on the PATH" ;;
  esac
  KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$KEYRING" ] || fail "the package debian-archive-keyring is missing, so signatures cannot be checked"
  MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m1 -E '/debian/?$') ||
    fail "apt on this machine names no Debian mirror; install Asterisk $OLDEST or later and put it on the PATH"
}

# Makes way for a tree at DEST. A folder with anything but an unpacked tree in it is somebody's: not ours to remove.
check_destination() {
  [ -e "$DEST" ] || return 0
  [ -d "$DEST" ] || fail "$DEST is a file, not a folder"
  [ -z "$(ls -A "$DEST")" ] || [ -d "$DEST/usr" ] || fail "$DEST holds something that is not an Asterisk tree; choose another folder"
}

# What a killed run left beside DEST; a run that is still alive keeps its own.
sweep() {
  local left pid
  for left in "$DEST".making.* "$DEST".old.*; do
    [ -e "$left" ] || continue
    pid=${left##*.}
    kill -0 "$pid" 2>/dev/null || rm -rf "$left"
  done
}

private_apt() { # SUITE
  local apt=$WORK/apt
  rm -rf "$apt"
  mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,etc/apt.conf.d,etc/preferences.d}
  : >"$apt/status"
  echo "deb [arch=$ARCH signed-by=$KEYRING] $MIRROR $1 main" >"$apt/etc/sources.list"
  # Check-Valid-Until is off: a mirror that lags behind (or a clock ahead of it) is no reason to stop; signatures are.
  cat >"$apt/apt.conf" <<CONF
Dir::State "$apt/state"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
Dir::Etc "$apt/etc"; Dir::Etc::sourcelist "$apt/etc/sources.list"; Dir::Etc::sourceparts "-";
Dir::Etc::trusted "-"; Dir::Etc::trustedparts "-";
APT::Architecture "$ARCH"; APT::Architectures "$ARCH"; APT::Sandbox::User ""; Debug::NoLocking "true";
Acquire::Languages "none"; Acquire::PDiffs "false"; Acquire::Check-Valid-Until "false"; Acquire::Retries "2";
CONF
  export APT_CONFIG=$apt/apt.conf
}

# fetch SUITE: the packages into $WORK/apt/cache/archives. apt's own words go to $WORK/log.
fetch() {
  private_apt "$1"
  apt-get -qq update >>"$WORK/log" 2>&1 || return 1
  # shellcheck disable=SC2086 # the lists are words
  [ "$WANTED" = lean ] && (cd "$WORK/apt/cache/archives" && apt-get -qq download $LEAN) >>"$WORK/log" 2>&1 && return 0
  # shellcheck disable=SC2086
  apt-get -qq -y --no-install-recommends --download-only install $ROOTS >>"$WORK/log" 2>&1
}

unpack() {
  local package
  mkdir "$WORK/root"
  for package in "$WORK"/apt/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -C "$WORK/root" -xf - --no-same-owner --exclude='./usr/share/doc' \
      --exclude='./usr/share/locale' --exclude='./usr/share/man' --exclude='./usr/share/bash-completion' --exclude='*/gconv'
  done 2>>"$WORK/log" || return 1
  # The package makes this link in its postinst, which never runs here.
  ln -sfn en_US_f_Allison "$WORK/root/usr/share/asterisk/sounds/en"
}

# check: the program runs, is new enough, and every module that we load finds its libraries. Sets VERSION and LOADER.
check() {
  local root=$WORK/root name missing
  LOADER=$(cd "$root" && ls usr/lib64/ld-linux-*.so.* usr/lib/ld-linux-*.so.* "$LIBRARIES"/ld-linux-*.so.* 2>/dev/null | head -n1)
  [ -n "$LOADER" ] || { echo "no dynamic loader among the packages" >>"$WORK/log"; return 1; }
  local run=("$root/$LOADER" --library-path "$root/$LIBRARIES")
  VERSION=$("${run[@]}" "$root/usr/sbin/asterisk" -V 2>>"$WORK/log" | sed -n 's/^Asterisk \([0-9][0-9.]*\).*/\1/p')
  [ -n "$VERSION" ] || return 1
  while read -r name; do
    missing=$("${run[@]}" --list "$root/$LIBRARIES/asterisk/modules/$name" 2>&1 | grep -E 'not found|cannot open' || true)
    [ -z "$missing" ] || { echo "$name: $missing" >>"$WORK/log"; return 1; }
  done < <(modules)
}

# make SUITE: a checked tree in $WORK/root. A lean list that loads but no longer suffices gets a second chance, resolved.
make_tree() {
  fetch "$1" || return 1
  unpack && check && return 0
  rm -rf "$WORK/root"
  # shellcheck disable=SC2086
  apt-get -qq -y --no-install-recommends --download-only install $ROOTS >>"$WORK/log" 2>&1 && unpack && check
}

put_in_place() {
  printf 'layout=%s\nversion=%s\nloader=%s\nlibraries=%s\n' "$LAYOUT" "$VERSION" "$LOADER" "$LIBRARIES" >"$WORK/root/$STAMP"
  if complete "$DEST"; then return 0; fi # another run was faster
  if [ -e "$DEST" ]; then mv -T "$DEST" "$DEST.old.$$"; fi
  mv -T "$WORK/root" "$DEST" || complete "$DEST" || fail "could not rename the finished tree to $DEST"
  rm -rf "$DEST.old.$$"
}

main() {
  [ -n "${1:-}" ] && [ $# -le 2 ] || fail "usage: get-asterisk.sh DEST [whole]"
  DEST=$1
  WANTED=${2:-lean}
  case $DEST in /*) ;; *) DEST=$PWD/$DEST ;; esac
  if complete "$DEST"; then return 0; fi
  check_machine
  check_destination
  mkdir -p "$(dirname "$DEST")" 2>/dev/null || fail "the folder $(dirname "$DEST") cannot be made"
  sweep
  WORK=$DEST.making.$$
  mkdir "$WORK" 2>/dev/null || fail "the folder $(dirname "$DEST") cannot be written"
  trap 'rm -rf "$WORK"' EXIT
  echo "Getting Asterisk (about 17 MB) …"
  local suite
  for suite in "${SUITES[@]}"; do
    if make_tree "$suite"; then
      [ "${VERSION%%.*}" -ge "$OLDEST" ] || fail "the mirror has Asterisk $VERSION; Offhook needs $OLDEST or later"
      put_in_place
      return 0
    fi
    rm -rf "$WORK/root"
  done
  fail "no Asterisk could be had from this machine's Debian mirror: $(grep -E '^(E:|.*not found)' "$WORK/log" | tail -n1 || tail -n1 "$WORK/log")"
}

main "$@"

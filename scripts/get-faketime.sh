#!/usr/bin/env bash
# Gets libfaketime (Debian package libfaketime), with which the chaos suite sets the clock of one process, from the mirror
# of the machine's own apt into .offhook/tools/faketime, without root. Silent when it is there.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
dest="$root/.offhook/tools/faketime"
[ -e "$dest/libfaketimeMT.so.1" ] && exit 0

fail() {
  echo "libfaketime cannot be had: $1 The tests that set the clock need it (Debian package libfaketime)." >&2
  exit 1
}
command -v apt-get >/dev/null || fail 'this machine has no apt.'
if ! apt-cache show libfaketime >/dev/null 2>&1; then
  # A fresh container has no package lists yet; only root can fetch them into the system's place.
  [ "$(id -u)" = 0 ] || fail 'apt knows no libfaketime (apt-get update was never run?).'
  apt-get -qq update >/dev/null || fail 'apt-get update failed.'
fi
echo 'Fetching libfaketime …' >&2
mkdir -p "$(dirname "$dest")"
work=$(mktemp -d "$dest.XXXXXX")
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get -qq download libfaketime 2>"$work/log") || fail "$(tail -n 1 "$work/log")"
dpkg-deb -x "$work"/*.deb "$work/root"
mkdir -p "$work/lib"
find "$work/root" -name 'libfaketimeMT.so.1' -exec cp {} "$work/lib/" \;
[ -e "$work/lib/libfaketimeMT.so.1" ] || fail 'the package holds no libfaketimeMT.so.1.'
chmod 755 "$work/lib"
rm -rf "$dest"
mv "$work/lib" "$dest"

#!/usr/bin/env bash
# Gets sipp, the SIP test tool that the tests place calls with, where the machine has none.
# As root: installs Debian's package sip-tester. Otherwise: fetches the package and the libraries that it needs
# from the mirror of the machine's own apt and unpacks them into .offhook/tools/sipp, without root.
# Silent when sipp is there. `test/support/sipp.ts` looks on the PATH first, then in .offhook/tools/sipp/sipp.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
dest="$root/.offhook/tools/sipp"

# sipp -v ends with status 99, so its output is asked, not its status.
works() { { "$1" -v 2>&1 || true; } | grep -q 'SIPp v'; }
fail() {
  echo "sipp cannot be had: $1 The tests that place real calls need it (Debian package sip-tester)." >&2
  exit 1
}

if command -v sipp >/dev/null && works sipp; then exit 0; fi
if [ -x "$dest/sipp" ] && works "$dest/sipp"; then exit 0; fi
command -v apt-get >/dev/null || fail 'this machine has no apt.'

# A fresh container has no package lists yet; only root can fetch them into the system's place.
if [ "$(id -u)" = 0 ]; then
  echo 'Installing sipp (Debian package sip-tester) …' >&2
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  apt-cache show sip-tester >/dev/null 2>&1 || apt-get -qq update >"$log" 2>&1 ||
    fail "apt-get update failed: $(tail -n 1 "$log")"
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends sip-tester >"$log" 2>&1 ||
    fail "apt-get install failed: $(tail -n 1 "$log")"
  works sipp || fail 'the installed sipp does not run.'
  exit 0
fi

echo 'Fetching sipp (Debian package sip-tester) …' >&2
apt-cache show sip-tester >/dev/null 2>&1 || fail 'apt knows no sip-tester (apt-get update was never run?).'
mkdir -p "$(dirname "$dest")"
work=$(mktemp -d "$dest.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The package itself and those of its dependencies that are not installed.
packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances sip-tester | grep -E '^[a-z]' |
  while read -r package; do
    [ "$package" = sip-tester ] && echo "$package" && continue
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done)
# shellcheck disable=SC2086 # a list of package names, one word each
(cd "$work" && apt-get -qq download $packages) || fail 'the packages could not be fetched.'
for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
libraries=$(find "$work/root" -name '*.so.*' -printf '%h\n' | sort -u | sed "s#^$work#$dest#" | paste -sd:)
cat >"$work/sipp" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH="$libraries" exec "$dest/root/usr/bin/sipp" "\$@"
WRAPPER
chmod 755 "$work" "$work/sipp"
rm -f "$work"/*.deb
rm -rf "$dest"
mv "$work" "$dest"
works "$dest/sipp" || fail 'the fetched sipp does not run.'

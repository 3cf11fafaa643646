#!/usr/bin/env bash
# Gets PHP for the test of the PHP receiver, where the machine has none: Debian's php-cli and what it needs, from the
# mirror of the machine's own apt, unpacked into .offhook/tools/php. Nothing is installed. Where it cannot be had this
# says so and succeeds: that one test is skipped then.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
dest="$root/.offhook/tools/php"

works() { "$1" --version 2>/dev/null | grep -q '^PHP 8'; }
without() {
  echo "PHP cannot be had: $1 The test of the PHP receiver is skipped." >&2
  exit 0
}

if command -v php >/dev/null && works php; then exit 0; fi
if [ -x "$dest/php" ] && works "$dest/php"; then exit 0; fi
command -v apt-get >/dev/null || without 'this machine has no apt.'
apt-cache show php-cli >/dev/null 2>&1 || without 'apt knows no php-cli (apt-get update was never run?).'

echo 'Fetching PHP (Debian package php-cli) …' >&2
mkdir -p "$(dirname "$dest")"
work=$(mktemp -d "$dest.XXXXXX")
trap 'rm -rf "$work"' EXIT
# Those of its dependencies that are not installed; the interpreter is in the package that php-cli stands for.
packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances php-cli | grep -E '^[a-z]' | sort -u |
  while read -r package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done)
# shellcheck disable=SC2086 # a list of package names, one word each
(cd "$work" && apt-get -qq download $packages 2>/dev/null) || without 'the packages could not be fetched.'
for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
program=$(cd "$work/root/usr/bin" && ls php[0-9]* | head -n 1)
libraries=$(find "$work/root" -name '*.so.*' -printf '%h\n' | sort -u | sed "s#^$work#$dest#" | paste -sd:)
cat >"$work/php" <<WRAPPER
#!/bin/sh
# -n: no php.ini of this machine.
LD_LIBRARY_PATH="$libraries" exec "$dest/root/usr/bin/$program" -n "\$@"
WRAPPER
chmod 755 "$work" "$work/php"
rm -f "$work"/*.deb
rm -rf "$dest"
mv "$work" "$dest"
works "$dest/php" || without 'the fetched one does not run.'

#!/usr/bin/env bash
# A stand-in for the image node:<version>-slim where no image registry can be reached, as a tar file:
# Debian's essential packages, the Node that runs the tests and this machine's npm, the user `node`. With
# the certificates of this machine, for `npm ci` in it to reach what this machine reaches.
# Usage: base-image.sh NODE TAR
set -euo pipefail
node=$1
tar=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/packages" "$work/root"

cd "$work/packages"
essential=$(dpkg-query -W -f '${Package} ${Essential}\n' | awk '$2 == "yes" { print $1 }')
# shellcheck disable=SC2086
packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
  --no-replaces --no-enhances $essential libstdc++6 |
  grep -E '^[a-z0-9]' | sed 's/:.*//' | sort -u)
# shellcheck disable=SC2086
apt-get -q download $packages >/dev/null
for package in *.deb; do dpkg-deb -x "$package" "$work/root"; done

cd "$work/root"
rm -rf usr/share/{doc,man,locale}
[ -e bin/sh ] || ln -s dash bin/sh
mkdir -p usr/local/bin usr/local/lib/node_modules home/node etc/ssl/certs tmp
chmod 1777 tmp
cp "$node" usr/local/bin/node
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
cp -rL "$npm" usr/local/lib/node_modules/npm
for program in npm npx; do
  ln -s "../lib/node_modules/npm/bin/$program-cli.js" "usr/local/bin/$program"
  chmod +x "usr/local/lib/node_modules/npm/bin/$program-cli.js"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n' >etc/passwd
printf 'root:x:0:\nnode:x:1000:\n' >etc/group
chown 1000:1000 home/node
cp -L "${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}" etc/ssl/certs/ca-certificates.crt
tar -cf "$tar.part" .
mv "$tar.part" "$tar"

#!/usr/bin/env bash
# Docker's engine from Debian's packages, unpacked into a folder and installed nowhere.
# Usage: unpack.sh FOLDER
set -euo pipefail
mkdir -p "$1/packages" "$1/root"
cd "$1/packages"
apt-get -q download docker.io containerd runc iptables >/dev/null
for package in *.deb; do dpkg-deb -x "$package" "$1/root"; done
rm -r "$1/packages"

#!/usr/bin/env bash
# Sets a checkout up: Debian packages, npm packages, the build. Idempotent, and quick when nothing is to be done.
# Runs before `npm run demo`, `npm test` and `npm run bench`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

packages=(gobgpd frr bird2 clang llvm libbpf-dev bpftool iproute2 procps iputils-ping iperf3 tcpdump ethtool nftables)

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done

if [ "$(id -u)" -ne 0 ]; then
  echo "setup: fabgate needs root (network namespaces, BPF). Run this as root; packages it uses: ${packages[*]}" >&2
  exit 1
fi
if [ "${#missing[@]}" -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "setup: this is not Debian or Ubuntu; install these packages yourself: ${missing[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # The packages' own services would take ports 179 and 50051: keep them from starting.
  deny=/usr/sbin/policy-rc.d
  if [ ! -e "$deny" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$deny"
    chmod +x "$deny"
    trap 'rm -f "$deny"' EXIT
  fi
  log=$(mktemp)
  if ! { apt-get -q update && apt-get -qy --no-install-recommends install "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup: apt-get could not install ${missing[*]} (whole log: $log)" >&2
    exit 1
  fi
  rm -f "$log"
fi

if [ ! -r /sys/kernel/btf/vmlinux ]; then
  echo "setup: this kernel has no BTF (/sys/kernel/btf/vmlinux); fabgate needs CONFIG_DEBUG_INFO_BTF=y" >&2
  exit 1
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "setup: npm ci"
  npm ci --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi

bash agent/packaging/build.sh

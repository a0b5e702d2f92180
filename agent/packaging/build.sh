#!/usr/bin/env bash
# Builds dist/: the BPF objects, the struct layouts generated from their BTF, the JavaScript, and the files beside it.
# Skipped when nothing that goes into it has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

stamp=dist/.built
sources=(agent bgp dataplane fabric-api scenarios package.json tsconfig.json package-lock.json)
if [ -e "$stamp" ] && [ -z "$(find "${sources[@]}" -newer "$stamp" -not -path '*/generated/*' -print -quit)" ]; then
  exit 0
fi

echo "build: BPF"
bash dataplane/bpf/build.sh
bash scenarios/bench/bpf/build.sh
echo "build: TypeScript"
# Built aside and put in place whole: a build that fails leaves the last good one.
rm -rf dist.new
npx --no-install tsc -p agent/packaging/tsconfig.dist.json
# What the JavaScript reads at run time lies beside it, as it does in the sources.
find agent bgp dataplane fabric-api scenarios -type f \( -name '*.proto' -o -name '*.bpf.o' -o -name '*.sh' \) -print0 |
  while IFS= read -r -d '' file; do
    mkdir -p "dist.new/$(dirname "$file")"
    cp -p "$file" "dist.new/$file"
  done
chmod +x dist.new/agent/cli/main.js
touch dist.new/.built
rm -rf dist
mv dist.new dist

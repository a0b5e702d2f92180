#!/usr/bin/env bash
# Compiles the BPF programs and generates from their BTF what TypeScript must know of them: dataplane/generated/.
# Skipped when nothing that goes into it has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

generated=../generated
stamp=$generated/.built
if [ -e "$stamp" ] && [ -z "$(find . -newer "$stamp" -print -quit)" ]; then
  exit 0
fi
mkdir -p "$generated"
new=$(mktemp -d "$generated/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
for program in gateway bench; do
  # asm/types.h lies where Debian keeps the headers of one architecture.
  clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -I"/usr/include/$(uname -m)-linux-gnu" \
    -c "$program.bpf.c" -o "$new/$program.bpf.o"
  # Line tables only make the file larger; BTF stays.
  llvm-strip -g "$new/$program.bpf.o"
done
bpftool -j btf dump file "$new/gateway.bpf.o" | node --import tsx generate-layout.ts >"$new/layout.ts"
# Each file whole or not at all: tests of other folders may be reading them.
mv "$new"/* "$generated/"
touch "$stamp"

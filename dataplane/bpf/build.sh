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
for program in gateway bench; do
  # asm/types.h lies where Debian keeps the headers of one architecture.
  clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -I"/usr/include/$(uname -m)-linux-gnu" \
    -c "$program.bpf.c" -o "$generated/$program.bpf.o"
  # Line tables only make the file larger; BTF stays.
  llvm-strip -g "$generated/$program.bpf.o"
done
bpftool -j btf dump file "$generated/gateway.bpf.o" | node --import tsx generate-layout.ts >"$generated/layout.ts.new"
mv "$generated/layout.ts.new" "$generated/layout.ts"
touch "$stamp"

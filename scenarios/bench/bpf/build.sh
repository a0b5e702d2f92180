#!/usr/bin/env bash
# Compiles the traffic source and sink of the benchmarks: scenarios/bench/generated/. Skipped when nothing that goes into it has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

generated=../generated
stamp=$generated/.built
if [ -e "$stamp" ] && [ -z "$(find . -newer "$stamp" -print -quit)" ]; then
  exit 0
fi
mkdir -p "$generated"
for program in generator sink; do
  # asm/types.h lies where Debian keeps the headers of one architecture.
  clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -I"/usr/include/$(uname -m)-linux-gnu" \
    -c "$program.bpf.c" -o "$generated/$program.bpf.o"
  # Line tables only make the file larger; BTF stays.
  llvm-strip -g "$generated/$program.bpf.o"
done
touch "$stamp"

#!/usr/bin/env bash
# The kernels under valgrind: no byte outside of an array is read or written, none is used that was never set.
# Usage: tests/kernels/memcheck.sh. Needs valgrind and a minute; tiers up to AVX2, for valgrind knows no AVX-512.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v valgrind >/dev/null || { echo "memcheck: valgrind is missing: apt-get install valgrind" >&2; exit 1; }

# With the features of the workspace, so that what is built already is used.
program=$(cargo test --release --workspace --test kernels --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/kernels-[^"]*\)".*/\1/p')
[ -x "$program" ] || { echo "memcheck: cargo named no program of the kernels' tests: '$program'" >&2; exit 1; }

# Small shapes alone: valgrind is fifty times slower. Threads take turns there, so one test at a time loses nothing.
DARKROOM_CPU=avx2 PROPTEST_CASES=${PROPTEST_CASES:-40} RAYON_NUM_THREADS=2 \
    valgrind --quiet --error-exitcode=9 "$program" --test-threads 1 edges:: random:: right:: ||
    { echo "memcheck: see above what valgrind, or a test, found" >&2; exit 1; }

#!/usr/bin/env bash
# Parity on fewer instructions than this processor has: what holds on the best tier must hold on the others.
# Usage: tests/kernels/tiers.sh [TIER...], without one `portable`, `avx2` and `avx512`; a tier that the processor lacks
# is tested as its best one. Needs a minute. The kernels' own tests walk through all tiers by themselves.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- portable avx2 avx512

# With the features of the workspace, so that what is built already is used.
program=$(cargo test --release --workspace --test main --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/main-[^"]*\)".*/\1/p')
[ -x "$program" ] || { echo "tiers: cargo named no program of the integration tests: '$program'" >&2; exit 1; }

# The pictures of the built-in model, six of twenty steps, take as long as all the others.
cd tests
for tier in "$@"; do
    printf '%s:' "$tier"
    DARKROOM_CPU=$tier "$program" --quiet parity:: --skip pictures_of_the_built_in_model ||
        { echo "tiers: the tests above fail on $tier" >&2; exit 1; }
done

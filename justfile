# Shorthands; nothing needs `just`.

# What CI runs.
check:
    bash .ci/run

# The tests, as the README runs them.
test:
    cargo test --release --workspace

# The parity suite alone, on the repository's reference data or on DARKROOM_REFERENCE.
parity:
    cargo test --release -p darkroom-tests parity

# The benches.
bench:
    cargo bench -p darkroom-tests

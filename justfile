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

# The networks against PyTorch, in turn, in one table; PYTHON names a Python with torch, diffusers and transformers.
bench-peers *ARGS: bench-build
    "${PYTHON:-python3}" tests/peers/bench_peers.py {{ARGS}}

# The layers against PyTorch's, with their share of the roofline.
bench-ops *ARGS: bench-build
    "${PYTHON:-python3}" tests/peers/bench_ops.py {{ARGS}}

[private]
bench-build:
    cargo build --release -p darkroom-tests --bin unet_bench --bin ops_bench

# A picture from text within limits of memory, beside diffusers; with --plan, plans beside what was measured.
bench-memory *ARGS:
    cargo build --release --workspace
    "${PYTHON:-python3}" tests/peers/bench_memory.py {{ARGS}}

# Thirty mixed runs in one process, and what it holds after each.
soak *ARGS:
    cargo run --release -p darkroom-tests --bin soak -- {{ARGS}}

# A checkpoint of noise in the names and shapes of SDXL: `just make-checkpoint --out FILE`.
make-checkpoint *ARGS:
    cargo run --release -p darkroom-tests --bin make_checkpoint -- {{ARGS}}

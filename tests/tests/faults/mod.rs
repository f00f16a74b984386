//! Bad inputs and bad days: each row of the list of faults is a test that carries its number.

mod controls;
mod disk;
mod engine;
mod gguf;
mod graphs;
mod models;
mod pictures;
mod prompts;
mod subgraphs;
mod upscalers;

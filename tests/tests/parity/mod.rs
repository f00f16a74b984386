//! Everything that is held against numbers of the reference implementation.

mod configs;
mod manifests;
mod tokenizer;

//! What the integration tests, their helper processes and the benches share.

pub mod cached;

//! Helpers of the tests: the reference data, comparisons, and toy nodes.

pub mod archive;
pub mod reference;
//! What the integration tests, their helper processes and the benches share.

pub mod cached;

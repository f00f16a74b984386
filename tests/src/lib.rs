//! Helpers of the tests: the reference data, comparisons, and toy nodes.

pub mod archive;
pub mod reference;

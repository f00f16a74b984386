//! Helpers of the tests: the reference data, comparisons, and toy nodes.

pub mod reference;

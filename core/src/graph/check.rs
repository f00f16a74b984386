//! placeholder
/// Wired.
pub struct Wired;
/// check
pub fn check() {}

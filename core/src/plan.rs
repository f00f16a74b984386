//! placeholder
/// A plan.
#[derive(Debug, Clone)]
pub struct Plan;

//! How things look: bars and lines while a run goes, a summary after it, JSON for programs, manuals of nodes.

pub mod bars;
pub mod json;
pub mod manual;
pub mod summary;
pub mod watch;

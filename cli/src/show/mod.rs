//! How things look: bars and lines while a run goes, a summary after it, JSON for programs, manuals of nodes, pulls of models.

pub mod bars;
pub mod json;
pub mod manual;
pub mod pulls;
pub mod summary;
pub mod watch;

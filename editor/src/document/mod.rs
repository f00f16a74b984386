//! The document: a graph under a person's hands, without a window.
//!
//! What is drawn is a [`Sheet`]: plain data that is never changed in place but made anew by [`Edit`]s. The [`Document`]
//! keeps the sheets of before and after for undo and redo; every edit happens inside of a step with a name, begun,
//! ended or given up as one. Nodes have numbers that are never used again, so that undo, a clipboard or the events of a
//! run never hit another node; the names that a file gives them are a property that can change. Selection, view and
//! the results of runs are no part of it.

mod arrange;
mod clipboard;
mod definition;
mod edit;
mod exposed;
mod fold;
mod graph_diff;
mod layout;
mod sheet;
mod steps;

pub use arrange::{Extent, arrange};
pub use clipboard::{Outside, Pasted, copy, paste};
pub use definition::{Definition, Side, define_ends};
pub use edit::{Edit, Refused};
pub use exposed::{expose, exposed};
pub use fold::{Folded, Unfolded, fold, own, unfold};
pub use graph_diff::{Change, diff};
pub use layout::Layout;
pub use sheet::{Count, Field, Frame, FrameId, Node, NodeId, Point, Sheet, Wire};
pub use steps::{Document, Draft, Opened, preamble};

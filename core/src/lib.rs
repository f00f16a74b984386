//! The core of darkroom: graphs, wires, names and runs. It knows no tensor, no model and no window.
#![warn(missing_docs)]

extern crate self as darkroom_core;

pub mod cache;
pub mod context;
pub mod fault;
pub mod files;
pub mod fingerprint;
pub mod graph;
pub mod host;
pub mod image;
pub mod literal;
pub mod node;
pub mod observe;
pub mod param;
pub mod plan;
pub mod registry;
pub mod residency;
pub mod spec;
pub mod types;
pub mod value;

pub use darkroom_derive::{Choice, Node, Outputs};

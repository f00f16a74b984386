//! The core of darkroom: graphs, wires, names and runs. It knows no tensor, no model and no window.
//!
//! # The story of a run
//! A workflow file is read into a [`graph::Graph`]: nodes by id, literals and wires, nothing more. Sub-graphs are
//! unfolded ([`graph::expand`](graph::expand())), so that nothing behind that door knows of them. [`graph::check::wire`]
//! asks a [`registry::Registry`] what each node's type means, and notes all that is wrong at once, each fault with its
//! place. [`survey`] walks back from what is wanted, makes the light values, decides the routes, says what every wire
//! will carry, and names every result before it exists; a file that the graph locks to a content is found by it
//! ([`locks`]). [`plan`](plan::plan) holds those names against the
//! [`cache::Cache`] and decides what runs, what is taken and what nobody needs, and why. [`explain`](explain::explain)
//! prints that; [`engine::Engine::run`] obeys it, tells an [`observe::Observer`] all that happens, and keeps what comes
//! out under its name.
//!
//! A node is a struct that derives [`Node`]: its fields are its sockets and its doc comments its manual. Weights travel
//! as [`residency::Handle`]s; touching them needs a pin, which the [`residency::Ledger`] gives out within a budget.
#![warn(missing_docs)]

// The derive writes paths that start with the crate's name, here too.
#[allow(unused_extern_crates)]
extern crate self as darkroom_core;

pub mod cache;
pub mod context;
pub mod engine;
pub mod explain;
pub mod fault;
pub mod files;
pub mod fingerprint;
pub mod graph;
pub mod history;
pub mod host;
pub mod image;
pub mod ladder;
pub mod literal;
pub mod locks;
pub mod node;
pub mod observe;
pub mod param;
pub mod peak;
pub mod plan;
pub mod process;
pub mod registry;
pub mod residency;
pub mod spec;
pub mod survey;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod types;
pub mod value;

pub use darkroom_derive::{Choice, Node, Outputs, Params};

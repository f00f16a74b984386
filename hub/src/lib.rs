//! Models from the Hugging Face hub, in the cache that the Python tools share.
//!
//! A pull goes: an [`Address`] names a repository at a revision, or one file of it; `listing` asks the hub what is there,
//! and remembers the answer; `select` keeps what a model needs; `plan` looks which of it the cache lacks; `pull` fetches
//! that, several files and several ranges of a file at once, and lets nothing be seen before its hash is right. A pull that
//! was cut off, or killed, goes on where it was. What is cached is found without the network, and [`Shelf`] looks after it.
//!
//! What other tools keep on the disk is found by a [`library::Library`].
//!
//! This crate knows nothing of graphs or networks. Who watches a pull, and may cancel it, is a [`Watch`].
#![warn(missing_docs)]

pub mod address;
pub mod fault;
pub mod library;
pub mod plan;
pub mod progress;
pub mod reach;
pub mod retry;
pub mod settings;
pub mod shelf;
pub mod tuning;

mod cache;
mod fetch;
mod hash;
mod http;
mod hub;
mod known;
mod listing;
mod lock;
mod parts;
mod policy;
mod pull;
mod select;
mod stop;
mod wire;

pub use address::Address;
pub use fault::{HubFault, Kind};
pub use hub::Hub;
pub use plan::{Plan, Wanted};
pub use progress::{Event, Watch};
pub use reach::Reach;
pub use settings::Settings;
pub use shelf::Shelf;
pub use tuning::Tuning;

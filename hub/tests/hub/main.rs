//! The hub crate against a server that plays the hub, well and badly.

mod cached;
mod killed;
mod patience;
mod pulls;
mod python;
mod reach;
mod refusals;
mod room;
mod server;
mod two;

//! The real program, from outside: what it prints where, what it leaves, and with which code it ends.

mod budgets;
mod cache;
mod config;
mod desk;
#[cfg(not(feature = "cuda"))]
mod devices;
mod doctor;
mod faults;
mod hub;
mod lock;
mod models;
mod pictures;
mod quality;
mod reference;
mod runs;
mod settings;
mod stopped;
mod words;

// The hub that the tests of the crate `hub` play.
#[allow(dead_code, reason = "it can be spoilt in more ways than are tried here")]
#[path = "../../../hub/tests/hub/server.rs"]
mod server;

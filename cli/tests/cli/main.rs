//! The real program, from outside: what it prints where, what it leaves, and with which code it ends.

mod cache;
mod desk;
mod faults;
mod models;
mod pictures;
mod reference;
mod runs;
mod settings;
mod stopped;
mod words;

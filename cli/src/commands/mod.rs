//! The commands, one file each.

pub mod cache;
pub mod check;
pub mod explain;
pub mod init;
pub mod models;
pub mod nodes;
pub mod run;
pub mod shell;

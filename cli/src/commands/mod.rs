//! The commands, one file each.

pub mod cache;
pub mod check;
pub mod doctor;
#[cfg(feature = "editor")]
pub mod edit;
pub mod explain;
pub mod init;
pub mod local_models;
pub mod lock;
pub mod models;
pub mod nodes;
pub mod pull;
pub mod run;
pub mod shell;

//! The visual editor.
#![warn(missing_docs)]

pub mod document;

//! What can go wrong in this crate, as one type.
//!
//! Each variant names the problem and where it is; [`Error::hint`] says the way out where there is one. Whoever calls
//! (a node, the command line) adds its own place and decides how to show it.

use std::{io, path::PathBuf};

use crate::weights::Report;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A fault of a file, a request or the machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("{source}: {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{what}: {}", path.display())]
    Format {
        /// The file, or the name of an embedded one.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Tensors are missing, misshapen or of the wrong type: all of them, in one report.
    #[error("{0}")]
    Weights(Box<Report>),
    /// A configuration lacks a field, or holds a value that cannot be built.
    #[error("{what}: {}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The field and what is wrong with it.
        what: String,
    },
    /// A tokenizer could not be built from its files, or cannot read a text.
    #[error("{what}: {}", path.display())]
    Tokenizer {
        /// The tokenizer's file or folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A weight could not be read again from its file at the time of its use.
    #[error("{what}")]
    Reading {
        /// What is wrong, and where.
        what: String,
    },
    /// An input does not fit the network it was given to.
    #[error("{0}")]
    Shape(String),
    /// A value is infinite or not a number.
    #[error("non-finite values in {what}{}", step.map(|step| format!(" at step {step}")).unwrap_or_default())]
    NonFinite {
        /// The sampler's step, counted from 1, where there is one.
        step: Option<usize>,
        /// What holds the values.
        what: String,
    },
    /// The one who watches asked to stop.
    #[error("stopped")]
    Stopped,
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl Error {
    /// Returns what to do about it, where there is something to do.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Format { hint, .. } => hint.as_deref(),
            Error::Reading { .. } => Some("open the model again once its file is complete"),
            Error::Weights(_) => Some("take the weights that belong to this configuration"),
            _ => None,
        }
    }

    /// Wraps what the system said about `path`.
    pub fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Error::Io { path: path.into(), source }
    }

    /// Says that the content of `path` is wrong.
    pub fn format(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Error::Format { path: path.into(), what: what.into(), hint: None }
    }

    /// Says that a configuration is wrong.
    pub fn config(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Error::Config { path: path.into(), what: what.into() }
    }

    /// Says that a tokenizer is wrong.
    pub fn tokenizer(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Error::Tokenizer { path: path.into(), what: what.into() }
    }

    /// Adds the way out to a [`Error::Format`]; other errors stay as they are.
    pub fn with_hint(mut self, way_out: impl Into<String>) -> Self {
        if let Error::Format { hint, .. } = &mut self {
            *hint = Some(way_out.into());
        }
        self
    }
}

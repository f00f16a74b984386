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
    /// A card has no memory left.
    #[error("the graphics card ran out of memory")]
    CardFull,
    /// A card does not answer any more.
    #[error("the graphics card is gone: {what}")]
    CardLost {
        /// What the driver said.
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
    Candle(candle_core::Error),
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        match card_fault(&error.to_string()) {
            Some(fault) => fault,
            None => Error::Candle(error),
        }
    }
}

/// Reads what the driver of a card said: candle wraps it in several ways, and all of them show its name of the error.
fn card_fault(said: &str) -> Option<Error> {
    // https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html: those after which a context is of no use.
    const LOST: [&str; 9] = [
        "CUDA_ERROR_DEVICE_UNAVAILABLE",
        "CUDA_ERROR_ECC_UNCORRECTABLE",
        "CUDA_ERROR_HARDWARE_STACK_ERROR",
        "CUDA_ERROR_ILLEGAL_ADDRESS",
        "CUDA_ERROR_ILLEGAL_INSTRUCTION",
        "CUDA_ERROR_LAUNCH_FAILED",
        "CUDA_ERROR_LAUNCH_TIMEOUT",
        "CUDA_ERROR_NO_DEVICE",
        "CUDA_ERROR_UNKNOWN",
    ];
    // cuBLAS allocates for itself, and says so in its own words.
    const FULL: [&str; 2] = ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"];
    if FULL.iter().any(|name| said.contains(name)) {
        return Some(Error::CardFull);
    }
    let what = LOST.iter().find(|name| said.contains(**name))?;
    Some(Error::CardLost { what: (*what).to_owned() })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_driver_says_is_told_from_a_bug() {
        let said = |words: &str| Error::from(candle_core::Error::Msg(words.to_owned()));
        assert!(matches!(said("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")"), Error::CardFull));
        assert!(matches!(said("CublasError(CUBLAS_STATUS_ALLOC_FAILED)"), Error::CardFull));
        let lost = said("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")");
        assert_eq!(lost.to_string(), "the graphics card is gone: CUDA_ERROR_ILLEGAL_ADDRESS");
        assert!(matches!(said("shape mismatch in matmul"), Error::Candle(_)));
    }
}

//! Where a model comes from, as a parameter.

use std::path::PathBuf;

use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::literal::Literal;
use darkroom_core::param::Param;
use darkroom_core::types::Kind;
use darkroom_models::checkpoint::Checkpoint;
use darkroom_models::weights::Options;

use super::mini;
use crate::fault::fault;

/// The word for the model that is built in.
pub const MINI: &str = "mini";

/// The word for the refiner that is built in.
pub const MINI_REFINER: &str = "mini-refiner";

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ModelSource {
    /// The one that is built in.
    Mini,
    /// The refiner that is built in.
    MiniRefiner,
    /// A folder as diffusers saves it, or a file of weights.
    Path {
        /// What the graph calls it.
        name: String,
        /// Where it lies.
        path: PathBuf,
    },
}

impl Param for ModelSource {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "`mini`, `mini-refiner` or the folder or file of a model";
    const OUTSIDE: bool = true;

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        let name = String::parse(literal, files)?;
        match name.as_str() {
            MINI => return Ok(Self::Mini),
            MINI_REFINER => return Ok(Self::MiniRefiner),
            _ => (),
        }
        let path = files.resolve(&name).map_err(|fault| match fault.hint.clone() {
            Some(hint) => fault.hint(format!("{hint}; the built-in model is `{MINI}`")),
            None => fault,
        })?;
        Ok(Self::Path { name, path })
    }

    fn literal(&self) -> Literal {
        Literal::from(match self {
            Self::Mini => MINI,
            Self::MiniRefiner => MINI_REFINER,
            Self::Path { name, .. } => name,
        })
    }

    /// The name of a model is its content: the digests of all files that matter, each read once per machine.
    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        match Self::parse(literal, files)? {
            Self::Mini => Ok(mini::digest()),
            Self::MiniRefiner => Ok(mini::refiner_digest()),
            Self::Path { path, .. } => {
                let checkpoint = Checkpoint::open(&path, Options::default()).map_err(fault)?;
                let each = |hasher: Hasher, file: &darkroom_models::folder::File| {
                    Ok(hasher.text(&file.name).fingerprint(files.digest(&file.path)?))
                };
                Ok(checkpoint.files().iter().try_fold(Hasher::new("model"), each)?.finish())
            }
        }
    }
}

//! Where a model comes from, as a parameter.

use std::path::{Path, PathBuf};

use darkroom_core::fault::Fault;
use darkroom_core::files::{Files, Piece};
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::literal::Literal;
use darkroom_core::param::Param;
use darkroom_core::spec::Choice;
use darkroom_core::types::Kind;
use darkroom_models::checkpoint::Checkpoint;
use darkroom_models::folder::File;
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

    fn built_in() -> &'static [Choice] {
        &[
            Choice { name: MINI, doc: "the model that is built in: small landscapes" },
            Choice { name: MINI_REFINER, doc: "the refiner that is built in, for latents of `mini`" },
        ]
    }

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

    /// The name of a model is its content: the digests of all files that matter with their parts, each read once per
    /// machine. What a file is called changes nothing.
    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        match Self::parse(literal, files)? {
            Self::Mini => Ok(mini::digest()),
            Self::MiniRefiner => Ok(mini::refiner_digest()),
            Self::Path { path, .. } => {
                let each = |piece: Piece| Ok((piece.role, files.digest(&piece.path)?));
                let mut parts = pieces(&path)?.into_iter().map(each).collect::<Result<Vec<_>, Fault>>()?;
                parts.sort();
                let add =
                    |hasher: Hasher, (role, digest): &(String, Fingerprint)| hasher.text(role).fingerprint(*digest);
                Ok(parts.iter().fold(Hasher::new("model"), add).finish())
            }
        }
    }

    fn pieces(literal: &Literal, files: &Files) -> Result<Vec<Piece>, Fault> {
        match Self::parse(literal, files)? {
            Self::Mini | Self::MiniRefiner => Ok(Vec::new()),
            Self::Path { path, .. } => pieces(&path),
        }
    }
}

/// Lists the files of a model. In a folder each plays the part of its component, whatever it is called in there.
pub fn pieces(path: &Path) -> Result<Vec<Piece>, Fault> {
    let checkpoint = Checkpoint::open(path, Options::default()).map_err(fault)?;
    let role = |file: &File| match file.name.rsplit_once('/') {
        _ if !path.is_dir() => String::new(),
        Some((component, _)) => component.to_owned(),
        None => ".".to_owned(),
    };
    Ok(checkpoint.files().iter().map(|file| Piece { role: role(file), path: file.path.clone() }).collect())
}

//! A file as a parameter: a picture, a LoRA, what a model takes in place of a part of its own.

use std::path::PathBuf;

use darkroom_core::fault::Fault;
use darkroom_core::files::{Files, Piece};
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::literal::Literal;
use darkroom_core::param::Param;
use darkroom_core::types::Kind;

/// A file that a graph reads, named by its content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InputFile {
    /// What the graph calls it.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

impl Param for InputFile {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "the name of a file";
    const OUTSIDE: bool = true;

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        let name = String::parse(literal, files)?;
        let path = files.resolve_file(&name)?;
        Ok(Self { name, path })
    }

    fn literal(&self) -> Literal {
        Literal::from(self.name.as_str())
    }

    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        files.digest(&Self::parse(literal, files)?.path)
    }

    fn pieces(literal: &Literal, files: &Files) -> Result<Vec<Piece>, Fault> {
        Ok(Piece::alone(Self::parse(literal, files)?.path))
    }
}

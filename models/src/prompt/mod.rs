//! Prompts: weights in brackets, texts longer than an encoder reads, words that stand for trained vectors.
//!
//! A text goes through these in turn: [`a1111`] or [`comfyui`] cut it into pieces with weights, [`words`] makes tokens
//! of each piece, [`chunks`] packs them into rows that the encoder can read, [`encode()`] reads one row after another,
//! and [`weigh`] applies the weights to what comes out. Each dialect is followed to the end: the same brackets mean
//! other numbers in A1111 and in ComfyUI, and so does the packing.

pub mod a1111;
pub mod chunks;
pub mod comfyui;
pub mod embedding;
pub mod encode;
pub mod weigh;
pub mod words;

pub use embedding::Inversion;
pub use encode::encode;
pub use words::Words;

use crate::{Error, Result};

/// Whose brackets, and whose arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weighting {
    /// None: brackets are text, as in diffusers.
    #[default]
    None,
    /// A1111's: `( )` times 1.1, `[ ]` by 1.1, `(x:1.3)`, `BREAK`; the mean of all numbers stays as it was.
    A1111,
    /// The same, and the mean goes where the weights take it: A1111's "No norm".
    A1111NoNorm,
    /// ComfyUI's: `( )` times 1.1, `(x:1.3)` in place of what is around it; towards and away from the empty text.
    Comfyui,
}

impl Weighting {
    /// Tells whether the brackets are A1111's.
    pub fn is_a1111(self) -> bool {
        matches!(self, Self::A1111 | Self::A1111NoNorm)
    }
}

/// What becomes of a text that is longer than an encoder reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Long {
    /// The end of it is left out.
    #[default]
    Cut,
    /// It is read in chunks of 75 tokens, whose vectors are set one behind the other.
    Chunks,
}

/// How a prompt is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whose brackets.
    pub weighting: Weighting,
    /// What becomes of a long text.
    pub long: Long,
}

/// The deepest brackets within brackets.
const MAX_DEPTH: usize = 64;

/// A part of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// A text, and how much it weighs.
    Text(String, f64),
    /// A new chunk begins.
    Break,
}

impl Piece {
    fn plain(text: &str) -> Self {
        Self::Text(text.to_owned(), 1.0)
    }
}

/// Cuts a prompt into pieces as a dialect does.
///
/// # Errors
/// More than 64 brackets within one another.
pub fn parse(text: &str, weighting: Weighting) -> Result<Vec<Piece>> {
    match weighting {
        Weighting::None => Ok(vec![Piece::plain(text)]),
        Weighting::A1111 | Weighting::A1111NoNorm => a1111::parse(text),
        Weighting::Comfyui => comfyui::parse(text),
    }
}

fn too_deep() -> Error {
    Error::Shape(format!("the prompt has more than {MAX_DEPTH} brackets within one another"))
}

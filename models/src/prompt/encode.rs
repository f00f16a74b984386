//! A prompt through all text encoders: chunk by chunk, weighted, set one behind the other.
//!
//! The pooled text is that of the first chunk and knows no weights, in A1111 as in ComfyUI. Where the text encoders read
//! different texts and one has fewer chunks, empty ones follow, as both do.

use candle_core::Tensor;

use super::{Style, Weighting, chunks::Chunk, chunks::chunks, weigh};
use crate::{
    Progress, Result,
    nn::Tokens,
    sdxl::{
        conditioning::{Conditioning, Prompt, Tower},
        text::{Depth, Encoded},
    },
};

/// How a prompt becomes vectors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// How the text is read.
    pub style: Style,
    /// Which layer pictures are made from.
    pub depth: Depth,
    /// Layers to leave out.
    pub clip_skip: usize,
}

/// Encodes one prompt; ticks once per layer and row.
///
/// # Errors
/// A text that cannot be read, or too deep a clip skip.
pub fn encode(
    towers: &[Tower<'_>],
    prompt: Prompt<'_>,
    reading: Reading,
    progress: &mut dyn Progress,
) -> Result<Conditioning> {
    let mut texts = Vec::with_capacity(towers.len());
    for (i, tower) in towers.iter().enumerate() {
        let second = prompt.second.filter(|second| i == 1 && !second.is_empty());
        texts.push(chunks(tower.tokenizer, tower.words, second.unwrap_or(prompt.text), reading.style)?.rows);
    }
    let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
    texts.iter_mut().for_each(|rows| rows.resize(longest, Chunk::default()));
    let jobs: Vec<_> = towers.iter().zip(&texts).map(|(tower, rows)| Job::new(tower, rows, reading)).collect();
    let of = jobs.iter().map(Job::ticks).sum();
    let mut done = 0;
    let mut parts = Vec::with_capacity(jobs.len());
    for job in &jobs {
        let mut tick = |_: usize, _: usize| {
            done += 1;
            progress.tick(done, of)
        };
        parts.push(job.run(&mut tick)?);
    }
    Conditioning::join(parts)
}

/// What one text encoder has to do.
struct Job<'a> {
    tower: &'a Tower<'a>,
    rows: Vec<(Vec<u32>, Vec<f32>)>,
    /// The empty text, where the weights need it.
    empty: Option<Vec<u32>>,
    reading: Reading,
}

/// What one text encoder made of a prompt.
pub struct Part {
    /// (1, tokens of all chunks, width).
    pub context: Tokens,
    /// The pooled text, where the encoder projects one.
    pub pooled: Option<Tokens>,
}

impl<'a> Job<'a> {
    fn new(tower: &'a Tower<'a>, chunks: &[Chunk], reading: Reading) -> Self {
        let rows: Vec<_> = chunks.iter().map(|chunk| chunk.row(tower.tokenizer)).collect();
        let weighted = rows.iter().any(|(_, weights)| weigh::any(weights));
        let wanted = weighted && reading.style.weighting == Weighting::Comfyui;
        let empty = wanted.then(|| Chunk::default().row(tower.tokenizer).0);
        Self { tower, rows, empty, reading }
    }

    fn ticks(&self) -> usize {
        (self.rows.len() + usize::from(self.empty.is_some())) * self.tower.encoder.layers()
    }

    fn run(&self, progress: &mut dyn Progress) -> Result<Part> {
        let empty = self.empty.as_ref().map(|row| self.vectors(row, progress)).transpose()?;
        let empty = empty.as_ref().map(|(vectors, _)| vectors);
        let mut rows = Vec::with_capacity(self.rows.len());
        let mut pooled = None;
        for (i, (ids, weights)) in self.rows.iter().enumerate() {
            let (vectors, encoded) = self.vectors(ids, progress)?;
            rows.push(weigh::apply(&vectors, weights, empty, self.reading.style.weighting)?.to_tensor()?);
            if i == 0 {
                // What travels on holds no card's memory.
                let at_home = || Tokens::from_tensor(&encoded.pooled.to_tensor()?);
                pooled = encoded.projected.then(at_home).transpose()?;
            }
        }
        Ok(Part { context: Tokens::from_tensor(&Tensor::cat(&rows, 1)?)?, pooled })
    }

    fn vectors(&self, row: &[u32], progress: &mut dyn Progress) -> Result<(Tokens, Encoded)> {
        let encoder = self.tower.encoder;
        let encoded = encoder.encode_with(&[row.to_vec()], self.tower.words.vectors(), progress)?;
        let vectors = encoder.for_pictures(&encoded, self.reading.depth, self.reading.clip_skip)?;
        Ok((vectors, encoded))
    }
}

//! Rows that an encoder can read: 75 tokens of text between a start and an end.
//!
//! A1111 (`modules/sd_hijack_clip.py`, `tokenize_line`) fills a chunk to the last token; where one runs over and a comma
//! stands among its last 20 tokens, what follows the comma moves to the next. A trained word is never parted. ComfyUI
//! (`comfy/sd1_clip.py`, `tokenize_with_weights`) takes each piece of one weight for a word: one of 8 tokens or more is
//! parted where the chunk ends, a shorter one moves to the next as a whole. Without a dialect chunks are filled to the
//! last token.

use super::{Long, Piece, Style, Weighting, Words, parse, words::Run};
use crate::{Error, Result, tokenizer::Clip};

/// The most chunks of a prompt.
pub const MAX_CHUNKS: usize = 100;
/// A comma among so many last tokens of a chunk lets what follows it move to the next.
const BACKTRACK: usize = 20;
/// From so many tokens on ComfyUI parts a word.
const LARGE: usize = 8;
const COMMA: &str = ",</w>";

/// Tokens of one row, without start and end, each with its weight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chunk(Vec<(u32, f64)>);

/// A prompt in rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunks {
    /// The rows, at least one.
    pub rows: Vec<Chunk>,
    /// Tokens of the whole text.
    pub tokens: usize,
    /// Tokens at the end of it that are in no row.
    pub left_out: usize,
}

impl Chunk {
    /// Returns the tokens with start, end and padding, and the weight of each.
    pub fn row(&self, tokenizer: &Clip) -> (Vec<u32>, Vec<f32>) {
        let (mut ids, mut weights) = (vec![tokenizer.bos()], vec![1.0]);
        ids.extend(self.0.iter().map(|(id, _)| *id));
        weights.extend(self.0.iter().map(|(_, weight)| *weight as f32));
        ids.push(tokenizer.eos());
        ids.resize(tokenizer.length(), tokenizer.pad());
        weights.resize(tokenizer.length(), 1.0);
        (ids, weights)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// A part of a prompt in tokens.
enum Item {
    Run(Run, f64),
    Break,
}

/// Reads a prompt into rows.
///
/// # Errors
/// A text that is too long for the tokenizer or has more than 100 chunks; brackets that are too deep.
pub fn chunks(tokenizer: &Clip, words: &Words, text: &str, style: Style) -> Result<Chunks> {
    tokenizer.check_length(text)?;
    let mut items = Vec::new();
    for piece in parse(text, style.weighting)? {
        match piece {
            Piece::Break => items.push(Item::Break),
            Piece::Text(text, weight) => {
                items.extend(words.runs(tokenizer, &text)?.into_iter().map(|run| Item::Run(run, weight)));
            }
        }
    }
    let room = tokenizer.length() - 2;
    let mut packer =
        Packer { room, comma: tokenizer.id_of(COMMA), done: Vec::new(), open: Chunk::default(), last_comma: None };
    for item in &items {
        match (item, style.long, style.weighting) {
            (Item::Break, ..) => packer.next(),
            (Item::Run(run, weight), Long::Cut, _) | (Item::Run(run, weight), _, Weighting::None) => {
                packer.fill(run.tokens(), *weight);
            }
            (Item::Run(run, weight), _, Weighting::Comfyui) => packer.comfyui(run.tokens(), *weight),
            (Item::Run(Run::Text(tokens), weight), ..) => packer.a1111(tokens, *weight),
            (Item::Run(Run::Word(tokens), weight), ..) => packer.whole(tokens, *weight),
        }
    }
    let rows = packer.finish();
    let tokens = rows.iter().map(Chunk::len).sum();
    match style.long {
        Long::Cut => {
            let first = rows.into_iter().next().unwrap_or_default();
            Ok(Chunks { tokens, left_out: tokens - first.len(), rows: vec![first] })
        }
        Long::Chunks if rows.len() > MAX_CHUNKS => Err(Error::Shape(format!(
            "the prompt has {tokens} tokens in {} chunks, at most {MAX_CHUNKS} chunks are read",
            rows.len()
        ))),
        Long::Chunks => Ok(Chunks { rows, tokens, left_out: 0 }),
    }
}

struct Packer {
    room: usize,
    comma: Option<u32>,
    done: Vec<Chunk>,
    open: Chunk,
    /// Where in the open chunk the last comma stands.
    last_comma: Option<usize>,
}

impl Packer {
    fn next(&mut self) {
        self.done.push(std::mem::take(&mut self.open));
        self.last_comma = None;
    }

    fn put(&mut self, token: u32, weight: f64) {
        if self.open.len() == self.room {
            self.next();
        }
        self.open.0.push((token, weight));
    }

    fn fill(&mut self, tokens: &[u32], weight: f64) {
        tokens.iter().for_each(|token| self.put(*token, weight));
    }

    fn a1111(&mut self, tokens: &[u32], weight: f64) {
        for token in tokens {
            let full = self.open.len() == self.room;
            if Some(*token) == self.comma {
                self.last_comma = Some(self.open.len()).filter(|_| !full);
            } else if full && let Some(comma) = self.last_comma.filter(|comma| self.room - comma <= BACKTRACK) {
                let moved = self.open.0.split_off(comma + 1);
                self.next();
                self.open.0 = moved;
            }
            self.put(*token, weight);
        }
    }

    fn whole(&mut self, tokens: &[u32], weight: f64) {
        if self.open.len() + tokens.len() > self.room {
            self.next();
        }
        self.fill(tokens, weight);
    }

    fn comfyui(&mut self, tokens: &[u32], weight: f64) {
        if tokens.len() < LARGE { self.whole(tokens, weight) } else { self.fill(tokens, weight) }
    }

    fn finish(mut self) -> Vec<Chunk> {
        if self.open.len() > 0 || self.done.is_empty() {
            self.next();
        }
        self.done
    }
}

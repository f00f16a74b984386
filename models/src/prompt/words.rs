//! From a piece of text to tokens, with words that stand for trained vectors.
//!
//! Such a word is found wherever it stands by itself, in any letter case; the longest one wins. `embedding:word`, as
//! ComfyUI writes it, is the same word. Its vectors get numbers behind those of the vocabulary, as diffusers adds them
//! to its tokenizer.

use candle_core::Tensor;

use super::Inversion;
use crate::{Result, tokenizer::Clip};

const PREFIX: &str = "embedding:";

/// The trained words that one text encoder knows.
#[derive(Clone, Debug, Default)]
pub struct Words {
    known: Vec<Known>,
    vectors: Option<Tensor>,
}

#[derive(Clone, Debug)]
struct Known {
    word: String,
    tokens: Vec<u32>,
}

/// Tokens that stand in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// Of a text.
    Text(Vec<u32>),
    /// Of one trained word.
    Word(Vec<u32>),
}

impl Run {
    /// Returns the tokens.
    pub fn tokens(&self) -> &[u32] {
        match self {
            Self::Text(tokens) | Self::Word(tokens) => tokens,
        }
    }
}

impl Words {
    /// Gives trained words to the tower of this number, whose vocabulary has so many entries; of two that are called the
    /// same, the later counts.
    ///
    /// # Errors
    /// Vectors of unequal widths.
    pub fn new<'i>(
        inversions: impl IntoIterator<Item = &'i Inversion>,
        tower: usize,
        vocab_size: usize,
    ) -> Result<Self> {
        let mut words = Self::default();
        let mut all = Vec::new();
        let mut next = vocab_size as u32;
        for inversion in inversions {
            let vectors = inversion.vectors(tower);
            let count = vectors.dim(0)? as u32;
            words.known.retain(|known| known.word != inversion.word());
            words.known.push(Known { word: inversion.word().to_owned(), tokens: (next..next + count).collect() });
            next += count;
            all.push(vectors.clone());
        }
        words.known.sort_by_key(|known| std::cmp::Reverse(known.word.len()));
        if !all.is_empty() {
            words.vectors = Some(Tensor::cat(&all, 0)?);
        }
        Ok(words)
    }

    /// Returns the vectors behind the vocabulary, (vectors, channels).
    pub fn vectors(&self) -> Option<&Tensor> {
        self.vectors.as_ref()
    }

    /// Returns the tokens of a text, without start and end.
    ///
    /// # Errors
    /// A text that the tokenizer does not take.
    pub fn runs(&self, tokenizer: &Clip, text: &str) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        let plain = |text: &str, runs: &mut Vec<Run>| {
            let tokens = tokenizer.encode(text)?.untruncated;
            if tokens.len() > 2 {
                runs.push(Run::Text(tokens[1..tokens.len() - 1].to_vec()));
            }
            Ok::<_, crate::Error>(())
        };
        let mut rest = text;
        while let Some((at, known)) = self.find(rest) {
            let before = &rest[..at];
            plain(strip_prefix_word(before), &mut runs)?;
            runs.push(Run::Word(known.tokens.clone()));
            rest = &rest[at + known.word.len()..];
        }
        plain(rest, &mut runs)?;
        Ok(runs)
    }

    /// Finds the first trained word of a text.
    fn find(&self, text: &str) -> Option<(usize, &Known)> {
        if self.known.is_empty() {
            return None;
        }
        let here = |(at, _): (usize, char)| {
            let known = self.known.iter().find(|known| stands_at(text, at, &known.word))?;
            Some((at, known))
        };
        text.char_indices().find_map(here)
    }
}

/// Takes ComfyUI's prefix off the end of what stands before a word.
fn strip_prefix_word(before: &str) -> &str {
    let at = before.len().checked_sub(PREFIX.len());
    let at = at.filter(|at| before.get(*at..).is_some_and(|end| end.eq_ignore_ascii_case(PREFIX)));
    at.map_or(before, |at| &before[..at])
}

/// Tells whether a word stands at a place by itself.
fn stands_at(text: &str, at: usize, word: &str) -> bool {
    let end = at + word.len();
    if !text.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(word)) {
        return false;
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let joined_before = word.starts_with(is_word) && text[..at].ends_with(is_word);
    let joined_after = word.ends_with(is_word) && text[end..].starts_with(is_word);
    !joined_before && !joined_after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_by_itself_in_any_letter_case() {
        assert!(stands_at("a Cat, b", 2, "cat"));
        assert!(!stands_at("a cats", 2, "cat") && !stands_at("bobcat", 3, "cat"));
        assert!(stands_at("a<toy>b", 1, "<toy>"));
        assert!(!stands_at("éa", 1, "a"));
    }

    #[test]
    fn the_prefix_of_comfyui_goes_with_the_word() {
        assert_eq!(strip_prefix_word("a Embedding:"), "a ");
        assert_eq!(strip_prefix_word("a embedding"), "a embedding");
        assert_eq!(strip_prefix_word("é"), "é");
    }
}

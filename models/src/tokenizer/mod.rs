//! From a text to the numbers that a text encoder reads.
//!
//! [`Clip`] is built from the files of a diffusers folder: `vocab.json`, `merges.txt`, `tokenizer_config.json` and, where
//! there is one, `special_tokens_map.json`. Nothing is known in advance: the size of the vocabulary, the special tokens
//! and their numbers are looked up, and so is the padding, which differs between SDXL's two tokenizers.

mod files;
mod published;
mod specials;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use tokenizers::{
    NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer,
    models::bpe::BPE,
    normalizers::{self, Lowercase, NFC, Replace, replace::ReplacePattern},
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence,
        split::{Split, SplitPattern},
    },
};

pub use files::Files;
pub use published::published;

use crate::{Error, Result};
use specials::Specials;

/// The longest text that is read. Past its limit the regex engine would cut a text silently.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// How a text falls into words, from transformers `models/clip/tokenization_clip.py`.
const WORDS: &str = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// CLIP's byte-level BPE.
pub struct Clip {
    path: PathBuf,
    bpe: Tokenizer,
    bos: u32,
    eos: u32,
    pad: u32,
    length: usize,
    vocab_size: usize,
}

/// A text in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Start, text, end, padding: as many as the encoder has positions.
    pub ids: Vec<u32>,
    /// Start, the whole text, end.
    pub untruncated: Vec<u32>,
    /// Whether the text did not fit.
    pub truncated: bool,
}

impl Clip {
    /// Opens the folder of a tokenizer.
    pub fn open(folder: &Path) -> Result<Self> {
        let owned = files::Owned::read(folder)?;
        Self::build(folder, &owned.borrow())
    }

    /// Builds a tokenizer from files in memory; `name` stands in for their folder in messages.
    pub fn from_bytes(name: &str, files: &Files<'_>) -> Result<Self> {
        Self::build(Path::new(name), files)
    }

    fn build(folder: &Path, files: &Files<'_>) -> Result<Self> {
        let vocab = files::vocab(&folder.join("vocab.json"), files.vocab)?;
        let merges = files::merges(&folder.join("merges.txt"), files.merges, &vocab)?;
        let specials = Specials::parse(folder, files)?;
        let id = |token: &specials::Special| {
            vocab.get(&token.content).copied().ok_or_else(|| {
                Error::tokenizer(folder, format!("the special token `{}` is not in the vocabulary", token.content))
            })
        };
        let (bos, eos, pad) = (id(&specials.bos)?, id(&specials.eos)?, id(&specials.pad)?);
        id(&specials.unk)?;
        let vocab_size = vocab.values().max().map_or(0, |highest| *highest as usize + 1);
        let added = specials.tokens(&vocab);
        let length = specials.length;
        let model = BPE::builder()
            .vocab_and_merges(vocab, merges)
            .unk_token(specials.unk.content)
            .continuing_subword_prefix(String::new())
            .end_of_word_suffix("</w>".into());
        let fault = |what: tokenizers::Error| Error::tokenizer(folder, what.to_string());
        let mut bpe = Tokenizer::new(model.build().map_err(fault)?);
        bpe.with_normalizer(Some(normalizer().map_err(fault)?)).map_err(fault)?;
        bpe.with_pre_tokenizer(Some(words().map_err(fault)?));
        bpe.add_special_tokens(added).map_err(fault)?;
        Ok(Self { path: folder.into(), bpe, bos, eos, pad, length, vocab_size })
    }

    /// Returns the tokens of a text of at most 64 KiB. A special token's text stands for that token.
    pub fn encode(&self, text: &str) -> Result<Tokens> {
        self.check_length(text)?;
        let encoded = self.bpe.encode_fast(text, false);
        let encoded = encoded.map_err(|what| Error::tokenizer(&self.path, what.to_string()))?;
        let untruncated = [&[self.bos], encoded.get_ids(), &[self.eos]].concat();
        let mut ids = untruncated.clone();
        let truncated = ids.len() > self.length;
        if truncated {
            ids.truncate(self.length - 1);
            ids.push(self.eos);
        }
        ids.resize(self.length, self.pad);
        Ok(Tokens { ids, untruncated, truncated })
    }

    /// Refuses a text of more than 64 KiB.
    pub fn check_length(&self, text: &str) -> Result<()> {
        if text.len() > MAX_TEXT_BYTES {
            let what = format!("the text has {} bytes, at most {MAX_TEXT_BYTES} are read", text.len());
            return Err(Error::tokenizer(&self.path, what));
        }
        Ok(())
    }

    /// Returns the number of an entry of the vocabulary.
    pub fn id_of(&self, entry: &str) -> Option<u32> {
        self.bpe.token_to_id(entry)
    }

    /// Returns the token that starts a text.
    pub fn bos(&self) -> u32 {
        self.bos
    }

    /// Returns the token that ends a text.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// Returns the token that fills up a short text.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// Returns how many tokens a text is padded and cut to, 77.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Returns the size of the vocabulary; every token is below.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({}, {} tokens)", self.path.display(), self.vocab_size)
    }
}

/// Composed characters, single spaces, lower case.
fn normalizer() -> tokenizers::Result<normalizers::Sequence> {
    let spaces = Replace::new(ReplacePattern::Regex(r"\s+".into()), " ")?;
    let steps: Vec<NormalizerWrapper> = vec![NFC.into(), spaces.into(), Lowercase.into()];
    Ok(normalizers::Sequence::new(steps))
}

/// Words, then their bytes as letters.
fn words() -> tokenizers::Result<sequence::Sequence> {
    let words = Split::new(SplitPattern::Regex(WORDS.into()), SplitDelimiterBehavior::Removed, true)?;
    let bytes = ByteLevel::new(false, true, true);
    Ok(sequence::Sequence::new(vec![PreTokenizerWrapper::from(words), bytes.into()]))
}

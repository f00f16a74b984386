//! The special tokens: start, end, padding, unknown.
//!
//! Their text inside a prompt stands for the token itself; that includes the padding, so that SDXL's second tokenizer,
//! which pads with `!`, reads a `!` differently from the first. Whether the text is looked for before or after it is
//! lowercased (`normalized`) differs from file to file. Order of precedence as in transformers
//! `tokenization_utils_base.py`: configuration, then map, then CLIP's own.

use std::path::Path;

use serde_json::Value;
use tokenizers::{AddedToken, models::bpe::Vocab};

use super::Files;
use crate::{Error, Result, json::Fields};

/// What CLIP's encoders read where the files do not say; large numbers in them mean "no limit".
const LENGTH: usize = 77;
/// The longest text in tokens that a file may ask for.
const MAX_LENGTH: u64 = 4096;

/// The special tokens of a tokenizer, and how long its texts are.
pub struct Specials {
    pub bos: Special,
    pub eos: Special,
    pub unk: Special,
    pub pad: Special,
    pub length: usize,
}

/// One special token.
#[derive(Clone, Debug)]
pub struct Special {
    pub content: String,
    normalized: bool,
    lstrip: bool,
    rstrip: bool,
    single_word: bool,
}

impl Specials {
    pub fn parse(folder: &Path, files: &Files<'_>) -> Result<Self> {
        let config = Fields::parse(&folder.join("tokenizer_config.json"), files.config)?;
        let map = files.special_tokens.map(|bytes| Fields::parse(&folder.join("special_tokens_map.json"), bytes));
        let map = map.transpose()?;
        let find = |name: &str, default: &str| -> Result<Special> {
            let sources = [Some(&config), map.as_ref()];
            let source = sources.into_iter().flatten().find(|fields| !fields.get(name).is_null());
            match source {
                Some(fields) => Special::parse(fields, name, &config),
                None => Ok(Special::plain(default)),
            }
        };
        let length = config.get("model_max_length").as_u64().filter(|n| *n <= MAX_LENGTH);
        if length.is_some_and(|n| n < 2) {
            return Err(config.fault("model_max_length", "must leave room for start and end"));
        }
        let specials = Self {
            bos: find("bos_token", "<|startoftext|>")?,
            eos: find("eos_token", "<|endoftext|>")?,
            unk: find("unk_token", "<|endoftext|>")?,
            pad: find("pad_token", "<|endoftext|>")?,
            length: length.map_or(LENGTH, |n| n as usize),
        };
        match specials.in_order().iter().any(|special| special.content.is_empty()) {
            true => Err(Error::tokenizer(folder, "a special token is empty")),
            false => Ok(specials),
        }
    }

    /// Returns what the tokenizer looks for in a text. Where two roles share a token, the last one says how it is found.
    pub fn tokens(&self, vocab: &Vocab) -> Vec<AddedToken> {
        let known = self.in_order().into_iter().filter(|special| vocab.contains_key(&special.content));
        known.map(Special::added).collect()
    }

    fn in_order(&self) -> [&Special; 4] {
        [&self.bos, &self.eos, &self.unk, &self.pad]
    }
}

impl Special {
    fn plain(content: &str) -> Self {
        Self { content: content.into(), normalized: false, lstrip: false, rstrip: false, single_word: false }
    }

    /// Reads a token written as its text, or as an object with its text and how it is found.
    fn parse(fields: &Fields, name: &str, config: &Fields) -> Result<Self> {
        let value = fields.get(name);
        let described = match value {
            Value::String(content) => match decoder_entry(config, content) {
                Some(entry) => entry,
                None => return Ok(Self::plain(content)),
            },
            value => value,
        };
        let Some(content) = described.get("content").and_then(Value::as_str) else {
            return Err(fields.fault(name, "must be a token: its text, or an object with its `content`"));
        };
        let flag = |name: &str| described.get(name).and_then(Value::as_bool).unwrap_or(false);
        Ok(Self {
            content: content.into(),
            normalized: flag("normalized"),
            lstrip: flag("lstrip"),
            rstrip: flag("rstrip"),
            single_word: flag("single_word"),
        })
    }

    fn added(&self) -> AddedToken {
        AddedToken::from(self.content.as_str(), true)
            .normalized(self.normalized)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .single_word(self.single_word)
    }
}

/// Finds a token's description in `added_tokens_decoder`, where newer files keep it.
fn decoder_entry<'a>(config: &'a Fields, content: &str) -> Option<&'a Value> {
    let entries = config.get("added_tokens_decoder").as_object()?;
    entries.values().find(|entry| entry.get("content").and_then(Value::as_str) == Some(content))
}

//! The vocabulary and the merges, checked before anything is built from them.

use std::{fmt, path::Path};

use serde::{
    Deserializer as _,
    de::{Error as _, MapAccess, Visitor},
};
use tokenizers::models::bpe::{Merges, Vocab};

use crate::{Error, Result, json, weights::source::read_small};

/// The largest vocabulary or list of merges that is read; CLIP's have 1 MB.
const MAX_BYTES: u64 = 64 << 20;
/// The most tokens of a vocabulary.
const MAX_TOKENS: usize = 1_000_000;

/// The files of a tokenizer, in memory.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// `vocab.json`: tokens and their numbers.
    pub vocab: &'a [u8],
    /// `merges.txt`: pairs that join, the first ones first.
    pub merges: &'a [u8],
    /// `tokenizer_config.json`: the special tokens.
    pub config: &'a [u8],
    /// `special_tokens_map.json`: those that the configuration leaves out.
    pub special_tokens: Option<&'a [u8]>,
}

/// The same, read from a folder.
pub struct Owned {
    vocab: Vec<u8>,
    merges: Vec<u8>,
    config: Vec<u8>,
    special_tokens: Option<Vec<u8>>,
}

impl Owned {
    pub fn read(folder: &Path) -> Result<Self> {
        let special_tokens = folder.join("special_tokens_map.json");
        Ok(Self {
            vocab: read_small(&folder.join("vocab.json"), MAX_BYTES)?,
            merges: read_small(&folder.join("merges.txt"), MAX_BYTES)?,
            config: json::read(&folder.join("tokenizer_config.json"))?,
            special_tokens: match special_tokens.exists() {
                true => Some(json::read(&special_tokens)?),
                false => None,
            },
        })
    }

    pub fn borrow(&self) -> Files<'_> {
        Files {
            vocab: &self.vocab,
            merges: &self.merges,
            config: &self.config,
            special_tokens: self.special_tokens.as_deref(),
        }
    }
}

/// Reads a vocabulary in which each token and each number stands once.
pub fn vocab(path: &Path, bytes: &[u8]) -> Result<Vocab> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let fault = |what: serde_json::Error| Error::tokenizer(path, format!("the vocabulary cannot be read: {what}"));
    let vocab = reader.deserialize_map(VocabVisitor).map_err(fault)?;
    reader.end().map_err(fault)?;
    let mut ids: Vec<u32> = vocab.values().copied().collect();
    ids.sort_unstable();
    if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::tokenizer(path, format!("two tokens have the number {}", twice[0])));
    }
    Ok(vocab)
}

/// Reads the merges. Each must join two tokens into a third: the tokenizer takes that for granted and would panic.
pub fn merges(path: &Path, bytes: &[u8], vocab: &Vocab) -> Result<Merges> {
    let fault = |what: String| Error::tokenizer(path, what);
    let text = std::str::from_utf8(bytes).map_err(|what| fault(format!("the merges are not text: {what}")))?;
    let mut merges = Merges::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() || (i == 0 && line.starts_with("#version")) {
            continue;
        }
        let Some((left, right)) = line.split_once(' ').filter(|(_, right)| !right.contains(' ')) else {
            return Err(fault(format!("line {} is not two tokens", i + 1)));
        };
        let joined = format!("{left}{right}");
        if let Some(unknown) = [left, right, &joined].iter().find(|token| !vocab.contains_key(**token)) {
            return Err(fault(format!("line {} uses `{unknown}`, which is not in the vocabulary", i + 1)));
        }
        if merges.len() == MAX_TOKENS {
            return Err(fault(format!("more than {MAX_TOKENS} merges")));
        }
        merges.push((left.into(), right.into()));
    }
    Ok(merges)
}

struct VocabVisitor;

impl<'de> Visitor<'de> for VocabVisitor {
    type Value = Vocab;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tokens and numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
        let mut vocab = Vocab::new();
        while let Some((token, id)) = map.next_entry::<String, u32>()? {
            if vocab.len() == MAX_TOKENS {
                return Err(A::Error::custom(format!("more than {MAX_TOKENS} tokens")));
            }
            if id as usize >= MAX_TOKENS {
                return Err(A::Error::custom(format!(
                    "token `{token}` has the number {id}, at most {MAX_TOKENS} are read"
                )));
            }
            if vocab.contains_key(&token) {
                return Err(A::Error::custom(format!("token `{token}` stands twice")));
            }
            vocab.insert(token, id);
        }
        Ok(vocab)
    }
}

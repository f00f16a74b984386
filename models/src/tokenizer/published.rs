//! CLIP's own vocabulary, which every published model of these families has, packed into the program.

use std::{io::Read as _, sync::LazyLock};

use super::{Clip, Files};
use crate::Result;

/// `vocab.json` and `merges.txt` (MIT, from OpenCLIP).
static UNPACKED: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [&include_bytes!("published/clip_vocab.json.gz")[..], &include_bytes!("published/clip_merges.txt.gz")[..]]
        .map(unpack)
});

fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes);
    read.expect("what is built in was packed whole");
    bytes
}

/// Builds a tokenizer of CLIP's vocabulary; `config` is its `tokenizer_config.json`, `name` stands for it in messages.
pub fn published(name: &str, config: &[u8]) -> Result<Clip> {
    let [vocab, merges] = &*UNPACKED;
    Clip::from_bytes(name, &Files { vocab, merges, config, special_tokens: None })
}

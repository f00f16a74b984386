//! Token ids of awkward prompts, with the full vocabulary, exactly.

use darkroom_models::tokenizer::{Clip, Files};
use darkroom_tests::{archive, reference};
use serde_json::{Value, json};

/// Builds a tokenizer of the full vocabulary.
pub fn clip(pad: &str) -> Clip {
    let vocab = archive::clip("vocab.json");
    let merges = archive::clip("merges.txt");
    let config = json!({"pad_token": pad, "model_max_length": 77}).to_string();
    let files = Files { vocab: &vocab, merges: &merges, config: config.as_bytes(), special_tokens: None };
    Clip::from_bytes("clip", &files).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn token_ids_are_those_of_transformers() {
    let golden = reference::json_at(&reference::root().join("tokenizer/clip_token_ids.json"));
    let (end, bang) = (clip("<|endoftext|>"), clip("!"));
    assert_eq!((end.vocab_size(), end.pad(), bang.pad()), (49_408, 49_407, 0));
    let prompts = golden["prompts"].as_array().unwrap();
    assert!(!prompts.is_empty());
    for prompt in prompts {
        let text = prompt["text"].as_str().unwrap();
        let with_end = end.encode(text).unwrap();
        assert_eq!(with_end.untruncated, ids(&prompt["ids_untruncated"]), "{text:?}");
        assert_eq!(with_end.ids, ids(&prompt["ids_pad_eos"]), "{text:?}");
        assert_eq!(with_end.truncated, with_end.untruncated.len() > 77, "{text:?}");
        assert_eq!(bang.encode(text).unwrap().ids, ids(&prompt["ids_pad_bang"]), "{text:?}");
    }
}

#[test]
fn the_longest_text_is_read_whole() {
    let clip = clip("!");
    let words = "word ".repeat((64 << 10) / 5);
    assert_eq!(clip.encode(&words).unwrap().untruncated.len(), (64 << 10) / 5 + 2);
    // One word of many letters, and of many signs: the joining of pairs must not be quadratic, nor the regex give up.
    for letter in ["a", "?", "é", "🦊", "1", "'", "\n"] {
        let text = letter.repeat((64 << 10) / letter.len());
        let start = std::time::Instant::now();
        let tokens = clip.encode(&text).unwrap();
        assert!(start.elapsed().as_secs() < 5, "{letter:?} took {:?}", start.elapsed());
        assert!(letter == "\n" || tokens.untruncated.len() > 1000, "{letter:?} was cut");
    }
}

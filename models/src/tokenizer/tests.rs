//! A toy vocabulary, and files that mean harm. Parity with the real one is in `tests/tests/parity/tokenizer.rs`.

use super::*;

const VOCAB: &str = r#"{"!": 0, "!</w>": 1, "a": 2, "a</w>": 3, "b": 4, "b</w>": 5, "ab</w>": 6, "<|startoftext|>": 7,
    "<|endoftext|>": 8}"#;
const MERGES: &str = "#version: 0.2\na b</w>\n";

fn clip(vocab: &str, merges: &str, config: &str) -> Result<Clip> {
    let files =
        Files { vocab: vocab.as_bytes(), merges: merges.as_bytes(), config: config.as_bytes(), special_tokens: None };
    Clip::from_bytes("toy", &files)
}

fn fault(vocab: &str, merges: &str, config: &str) -> String {
    clip(vocab, merges, config).unwrap_err().to_string()
}

#[test]
fn a_text_is_padded_and_cut_to_the_length() {
    let clip = clip(VOCAB, MERGES, r#"{"model_max_length": 6, "pad_token": "!"}"#).unwrap();
    let tokens = clip.encode("Ab  A").unwrap();
    assert_eq!((tokens.ids, tokens.truncated), (vec![7, 6, 3, 8, 0, 0], false));
    let tokens = clip.encode("a b a b a").unwrap();
    assert_eq!((tokens.ids, tokens.truncated), (vec![7, 3, 5, 3, 5, 8], true));
    assert_eq!(tokens.untruncated, [7, 3, 5, 3, 5, 3, 8]);
    assert_eq!((clip.bos(), clip.eos(), clip.pad(), clip.vocab_size()), (7, 8, 0, 9));
}

#[test]
fn the_text_of_the_padding_is_the_padding() {
    let bang = clip(VOCAB, MERGES, r#"{"pad_token": "!"}"#).unwrap();
    assert_eq!(bang.encode("a!").unwrap().untruncated, [7, 3, 0, 8]);
    let end = clip(VOCAB, MERGES, r#"{"pad_token": "<|endoftext|>"}"#).unwrap();
    assert_eq!(end.encode("a!").unwrap().untruncated, [7, 3, 1, 8]);
}

#[test]
fn a_normalized_special_is_found_in_any_letter_case() {
    let config =
        |normalized| format!(r#"{{"bos_token": {{"content": "<|startoftext|>", "normalized": {normalized}}}}}"#);
    let ids = |normalized| clip(VOCAB, MERGES, &config(normalized)).unwrap().encode("<|StartOfText|>").unwrap();
    assert_eq!(ids(true).untruncated, [7, 7, 8]);
    assert_ne!(ids(false).untruncated, [7, 7, 8]);
}

#[test]
fn a_text_past_the_limit_is_refused() {
    let clip = clip(VOCAB, MERGES, "{}").unwrap();
    assert!(clip.encode(&"a".repeat(64 << 10)).is_ok());
    let told = clip.encode(&"a".repeat((64 << 10) + 1)).unwrap_err().to_string();
    assert_eq!(told, "the text has 65537 bytes, at most 65536 are read: toy");
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let cases = [
        (fault("[]", MERGES, "{}"), "the vocabulary cannot be read"),
        (fault(r#"{"a": 1, "a": 2}"#, MERGES, "{}"), "token `a` stands twice"),
        (fault(r#"{"a": 1, "b": 1}"#, "", "{}"), "two tokens have the number 1"),
        (fault(r#"{"a": 4000000000}"#, "", "{}"), "has the number 4000000000"),
        (fault(r#"{"a": -1}"#, "", "{}"), "the vocabulary cannot be read"),
        (fault(VOCAB, "a b c\n", "{}"), "line 1 is not two tokens"),
        (fault(VOCAB, "a zz\n", "{}"), "line 1 uses `zz`"),
        (fault(VOCAB, "<|startoftext|> <|endoftext|>\n", "{}"), "line 1 uses `<|startoftext|><|endoftext|>`"),
        (fault(VOCAB, MERGES, r#"{"pad_token": "?"}"#), "the special token `?` is not in the vocabulary"),
        (fault(VOCAB, MERGES, r#"{"pad_token": 7}"#), "field `pad_token` must be a token"),
        (fault(VOCAB, MERGES, r#"{"pad_token": ""}"#), "a special token is empty"),
        (fault(VOCAB, MERGES, r#"{"model_max_length": 1}"#), "field `model_max_length` must leave room"),
        (fault(VOCAB, MERGES, &"[".repeat(100_000)), "this is not the JSON of a configuration"),
    ];
    for (told, wanted) in cases {
        assert!(told.contains(wanted), "{told:?} does not say {wanted:?}");
    }
}

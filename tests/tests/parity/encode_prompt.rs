//! Prompts as the pipeline puts them together: two towers, missing and empty negatives, clip skip.

use darkroom_models::{
    prompt::{Words, encode::Reading},
    sdxl::{
        conditioning::{Conditioning, Prompt, Request, Tower, encode_prompt},
        config::ModelIndex,
    },
    tokenizer::Clip,
};
use darkroom_tests::reference::{self, assert_close};
use serde_json::Value;

use super::{NETWORK, text_encoders::encoder};

/// The prompts of a case: one text, or a list of them.
fn prompts<'a>(case: &'a Value, name: &str) -> Option<Vec<Prompt<'a>>> {
    let texts = |name: &str| -> Vec<&'a str> {
        match case.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    };
    let (first, second) = (texts(name), texts(&format!("{name}_2")));
    let prompt = |(i, text): (usize, &&'a str)| Prompt { text, second: second.get(i).copied() };
    let all: Vec<Prompt<'a>> = first.iter().enumerate().map(prompt).collect();
    (!all.is_empty()).then_some(all)
}

#[test]
fn every_case_of_encode_prompt_gives_the_reference_text() {
    let base = reference::root().join("models/tiny-sdxl-base");
    let index = ModelIndex::read(&base.join("model_index.json")).unwrap();
    let tokenizers = ["tokenizer", "tokenizer_2"].map(|name| Clip::open(&base.join(name)).unwrap());
    let encoders = ["text_encoder", "text_encoder_2"].map(encoder);
    let words = Words::default();
    let towers: Vec<Tower<'_>> = tokenizers
        .iter()
        .zip(&encoders)
        .map(|(tokenizer, encoder)| Tower { tokenizer, encoder, words: &words })
        .collect();
    let want = reference::tensors("sdxl/encode_prompt");
    let facts = reference::facts("sdxl/encode_prompt");
    let cases = facts["cases"].as_object().unwrap();
    assert!(!cases.is_empty());
    for (name, case) in cases {
        let negative = prompts(case, "negative_prompt");
        let request = Request {
            positive: &prompts(case, "prompt").unwrap(),
            negative: negative.as_deref(),
            clip_skip: case["clip_skip"].as_u64().unwrap_or(0) as usize,
            force_zeros: index.force_zeros_for_empty_prompt,
            ..Request::default()
        };
        let (positive, negative) = encode_prompt(&towers, request, &mut ()).unwrap();
        let check = |got: &Conditioning, embeds: &str, pooled: &str| {
            let (embeds, pooled) = (format!("{name}.{embeds}"), format!("{name}.{pooled}"));
            let context = got.context.to_tensor().unwrap();
            assert_close(&embeds, &context, want.get(&embeds), NETWORK);
            let vectors = got.pooled.as_ref().unwrap().to_vectors().unwrap();
            assert_close(&pooled, &vectors, want.get(&pooled), NETWORK);
        };
        check(&positive, "prompt_embeds", "pooled");
        check(&negative, "negative_prompt_embeds", "negative_pooled");
    }
}

#[test]
fn encoding_a_prompt_ticks_once_per_layer_of_all_towers() {
    let base = reference::root().join("models/tiny-sdxl-base");
    let tokenizer = Clip::open(&base.join("tokenizer")).unwrap();
    let encoders = ["text_encoder", "text_encoder_2"].map(encoder);
    let words = Words::default();
    let towers = encoders.each_ref().map(|encoder| Tower { tokenizer: &tokenizer, encoder, words: &words });
    let layers: usize = encoders.iter().map(|encoder| encoder.layers()).sum();
    let mut heard = Vec::new();
    let mut watch = |done, of| {
        heard.push((done, of));
        Ok(())
    };
    let prompt = [Prompt::default()];
    darkroom_models::sdxl::conditioning::encode(&towers, &prompt, Reading::default(), &mut watch).unwrap();
    assert_eq!(heard, (1..=layers).map(|i| (i, layers)).collect::<Vec<_>>());
}

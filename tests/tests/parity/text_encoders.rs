//! The text encoders: every layer of one prompt, and what pictures are made from for all of them.

use candle_core::{DType, Tensor};
use darkroom_models::{
    Weights,
    nn::Keep,
    sdxl::{TextEncoder, config::TextEncoderConfig, text::Depth},
};
use darkroom_tests::reference::{self, Tensors, assert_close};

use super::NETWORK;

/// Loads a text encoder of the tiny base model.
pub fn encoder(folder: &str) -> TextEncoder {
    let folder = reference::root().join("models/tiny-sdxl-base").join(folder);
    let config = TextEncoderConfig::read(&folder.join("config.json")).unwrap();
    TextEncoder::load(&config, &Weights::open(&folder).unwrap(), Keep::All).unwrap()
}

fn rows(ids: &Tensor) -> Vec<Vec<u32>> {
    ids.to_dtype(DType::U32).unwrap().to_vec2().unwrap()
}

fn check(encoder: &TextEncoder, want: &Tensors, place: &str) {
    let ids = rows(want.get(&format!("{place}.input_ids")));
    let got = encoder.encode(&ids, &mut ()).unwrap();
    let mut compared = 0;
    for (i, hidden) in got.hidden.iter().enumerate() {
        let name = format!("{place}.hidden.{i}");
        if let Some(want) = want.find(&name) {
            assert_close(&name, &hidden.to_tensor().unwrap(), want, NETWORK);
            compared += 1;
        }
    }
    assert!(compared > 0, "{place}: no hidden state in the reference");
    let picked = encoder.for_pictures(&got, Depth::LastButOne, 0).unwrap().to_tensor().unwrap();
    let penultimate = got.hidden.len() - 2;
    let name = format!("{place}.hidden.{penultimate}");
    assert_close(&name, &picked, want.get(&name), NETWORK);
    let name = format!("{place}.last_hidden_state");
    if let Some(want) = want.find(&name) {
        assert_close(&name, &got.last.to_tensor().unwrap(), want, NETWORK);
    }
    let pooled = got.pooled.to_vectors().unwrap();
    let name = format!("{place}.pooled");
    assert_close(&name, &pooled, want.get(&name), NETWORK);
}

#[test]
fn both_towers_give_the_reference_layers_and_pooled_text() {
    let want = reference::tensors("sdxl/text_encoders");
    let facts = reference::facts("sdxl/text_encoders");
    let prompts = facts["prompts"].as_array().unwrap().len();
    for (tower, folder) in [(1, "text_encoder"), (2, "text_encoder_2")] {
        let encoder = encoder(folder);
        for prompt in 0..prompts {
            check(&encoder, &want, &format!("p{prompt}.te{tower}"));
        }
    }
}

#[test]
fn a_batch_of_prompts_gives_what_each_gives_alone() {
    let want = reference::tensors("sdxl/text_encoders");
    let facts = reference::facts("sdxl/text_encoders");
    let prompts = facts["prompts"].as_array().unwrap().len();
    let encoder = encoder("text_encoder_2");
    let name = |prompt: usize, what: &str| format!("p{prompt}.te2.{what}");
    let ids = |prompt| rows(want.get(&name(prompt, "input_ids")));
    let all: Vec<Vec<u32>> = (0..prompts).flat_map(ids).collect();
    let pooled = encoder.encode(&all, &mut ()).unwrap().pooled;
    let pooled = pooled.to_vectors().unwrap();
    for prompt in 0..prompts {
        let row = pooled.narrow(0, prompt, 1).unwrap();
        let want = want.get(&name(prompt, "pooled"));
        assert_close(&name(prompt, "pooled"), &row, want, NETWORK);
    }
}

#[test]
fn encoding_stops_when_it_is_asked_to() {
    let encoder = encoder("text_encoder");
    let mut ticks = 0;
    let mut stop = |_, _| {
        ticks += 1;
        Err(darkroom_models::Error::Stopped)
    };
    let fault = encoder.encode(&[vec![1; 7]], &mut stop).unwrap_err();
    assert!(matches!(fault, darkroom_models::Error::Stopped));
    assert_eq!(ticks, 1);
}

#[test]
fn too_deep_a_clip_skip_is_refused_in_one_sentence() {
    let encoder = encoder("text_encoder");
    let layers = encoder.layers();
    let encoded = encoder.encode(&[vec![1; 7]], &mut ()).unwrap();
    let skip = |depth, clip_skip| encoder.for_pictures(&encoded, depth, clip_skip);
    assert!(skip(Depth::LastButOne, layers - 1).is_ok() && skip(Depth::Last, layers).is_ok());
    assert!(skip(Depth::Last, layers + 1).is_err());
    let fault = skip(Depth::LastButOne, layers).unwrap_err().to_string();
    assert!(fault.contains(&format!("the most is {}", layers - 1)), "{fault}");
}

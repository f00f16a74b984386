//! Stable Diffusion 1.5: one text encoder read from its last layer, trained words, and a whole picture. The tiny model
//! and its numbers are made by `tests/reference/make_sd15.py`.

use std::path::{Path, PathBuf};

use darkroom_models::{
    folder::{Component, Family, ModelFolder},
    nn::Keep,
    prompt::{Inversion, Words},
    sdxl::{
        TextEncoder,
        conditioning::{Prompt, Request, Tower, encode_prompt},
        text::Depth,
    },
    weights::Options,
};
use darkroom_nodes::pictures::picture_file;
use darkroom_tests::reference::{self, assert_close, values};
use darkroom_tests::studio::Studio;

use super::NETWORK;

fn folder() -> PathBuf {
    reference::own().join("sd15")
}

#[test]
fn a_prompt_of_sd15_is_read_from_the_last_layer() {
    let model = ModelFolder::open(&folder().join("model")).unwrap();
    assert_eq!(model.family(), Family::Sd15);
    let config = model.configs().text_encoder.as_ref().unwrap();
    let weights = model.weights(Component::TextEncoder, Options::default()).unwrap();
    let encoder = TextEncoder::load(config, &weights, Keep::All).unwrap();
    let tokenizer = model.tokenizer(Component::Tokenizer).unwrap();
    let word =
        |name: &str, word| Inversion::open(&folder().join("words").join(name), word, &[config.hidden_size]).unwrap();
    let known = [word("three.safetensors", None), word("toy.safetensors", None)];
    assert_eq!((known[0].word(), known[1].word()), ("three", "<toy>"));
    let words = Words::new(&known, 0, config.vocab_size).unwrap();
    let towers = [Tower { tokenizer: &tokenizer, encoder: &encoder, words: &words }];
    let want = reference::tensors_at(&folder().join("expected.safetensors"));
    let facts = reference::json_at(&folder().join("expected.json"));
    let cases = facts["cases"].as_object().unwrap();
    assert!(cases.len() >= 4);
    for (name, case) in cases {
        let prompt = |name: &str| case[name].as_str().map(|text| [Prompt { text, second: None }]);
        let negative = prompt("negative");
        let request = Request {
            positive: &prompt("prompt").unwrap(),
            negative: negative.as_ref().map(|prompts| &prompts[..]),
            clip_skip: case["clip_skip"].as_u64().unwrap_or(0) as usize,
            depth: Depth::Last,
            ..Request::default()
        };
        let (positive, negative) = encode_prompt(&towers, request, &mut ()).unwrap();
        for (side, got) in [("positive", positive), ("negative", negative)] {
            let name = format!("{name}.{side}");
            assert_close(&name, &got.context.to_tensor().unwrap(), want.get(&name), NETWORK);
            assert!(got.pooled.is_none());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => assert!(std::fs::copy(entry.path(), target).unwrap() > 0),
        }
    }
}

#[test]
fn a_picture_of_sd15_is_that_of_the_reference() {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    copy(&folder(), &studio.input);
    let facts = reference::json_at(&folder().join("expected.json"));
    let call = &facts["picture"];
    let graph = |word: &str, encoder: &str, text: &str| {
        format!(
            r#"(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: "model"),
    {word}
    "prompt": (type: "encode_prompt", encoder: (from: "{encoder}"), text: {text}, negative: {negative}),
    "blank": (type: "empty_latent", width: {size}, height: {size}, space: "sd15"),
    "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"),
        latent: (from: "blank"), seed: {seed}, steps: {steps}, guidance: {guidance}),
    "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
    "save": (type: "save_image", image: (from: "decode"), name: "picture"),
}})"#,
            negative = call["negative"],
            size = call["size"],
            seed = call["seed"],
            steps = call["steps"],
            guidance = call["guidance"],
        )
    };
    studio.run(&graph("", "model.encoder", &call["prompt"].to_string())).unwrap();
    let got = picture_file::read(&studio.output.join("picture.png")).unwrap();
    let want = reference::tensors_at(&folder().join("expected.safetensors"));
    let want = want.get("picture");
    let (_, channels, height, width) = want.dims4().unwrap();
    assert_eq!((got.width() as usize, got.height() as usize, channels), (width, height, 3));
    let planes = values(want);
    let pixels = width * height;
    for (i, sample) in got.samples().iter().enumerate() {
        let wanted = planes[i % 3 * pixels + i / 3];
        assert!((f64::from(*sample) - wanted).abs() < 1.0 / 255.0, "sample {i} is {sample}, not {wanted}");
    }

    // With a trained word in the prompt it is another picture.
    let word =
        r#""word": (type: "load_embedding", encoder: (from: "model.encoder"), file: "words/three.safetensors"),"#;
    studio.run(&graph(word, "word", "\"a photo of three\"")).unwrap();
    let other = picture_file::read(&studio.output.join("picture-2.png")).unwrap();
    assert_ne!(other.to_bytes(), got.to_bytes());
}

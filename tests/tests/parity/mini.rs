//! The small models that are part of the program, beside the base.

use std::path::Path;

use darkroom_models::{
    Weights,
    nn::{FeatureMap, Keep, Tokens},
    sdxl::{
        UNet,
        config::UNetConfig,
        unet::{Added, Question},
    },
};
use darkroom_nodes::models::{Model, ModelSource, Models, Part, placing::Placing};
use darkroom_nodes::pictures::picture_file;
use darkroom_tests::{
    reference::{self, assert_close},
    studio::{Studio, landscape},
};

use super::NETWORK;

#[test]
fn the_built_in_refiner_answers_what_diffusers_answers() {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini");
    let want = reference::tensors_at(&mini.join("golden/refiner.safetensors"));
    let folder = mini.join("weights/refiner/unet");
    let config = UNetConfig::read(&folder.join("config.json")).unwrap();
    let unet = UNet::load(&config, &Weights::open(&folder).unwrap(), Keep::All).unwrap();
    let tokens = |name: &str| Tokens::from_tensor(want.get(name)).unwrap();
    let pooled = Tokens::from_tensor(&want.get("pooled").unsqueeze(1).unwrap()).unwrap();
    let rows = reference::values(want.get("time_ids"));
    let time_ids = rows.chunks(rows.len() / 2).map(<[f64]>::to_vec).collect();
    let question = Question {
        sample: &FeatureMap::from_tensor(want.get("sample")).unwrap(),
        timestep: reference::values(want.get("timestep"))[0],
        context: &tokens("context"),
        added: Some(&Added { pooled, time_ids }),
    };
    let answer = unet.forward(question, &mut ()).unwrap().to_tensor().unwrap();
    assert_close("refiner", &answer, want.get("answer"), NETWORK);
}

#[test]
fn the_built_in_refiner_has_a_denoiser_of_its_own_and_one_text_encoder() {
    let models = Models::default();
    let [base, refiner] = [ModelSource::Mini, ModelSource::MiniRefiner]
        .map(|source| models.open(&source, Vec::new(), Placing::default()).unwrap());
    assert_eq!((base.tokenizers().count(), refiner.tokenizers().count()), (2, 1));
    let vae = |model: &Model| (model.family(Part::Vae), model.bytes(Part::Vae));
    assert_eq!(vae(&base), vae(&refiner));
    assert!(refiner.bytes(Part::Denoiser).whole < base.bytes(Part::Denoiser).whole);
    assert!(refiner.bytes(Part::Encoder).whole < base.bytes(Part::Encoder).whole);
    let pooled = refiner.configs().text_encoder_2.as_ref().unwrap().projection_dim.unwrap();
    assert_eq!(refiner.configs().unet.addition.unwrap().ids(pooled), Some(5), "four sizes and a score");
}

#[test]
fn the_built_in_refiner_goes_over_a_drawing_and_the_score_changes_it() {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    let refined = |score: f64| {
        let extra = format!(
            r#""refiner": (type: "load_model", source: "mini-refiner"),
    "again": (type: "encode_prompt", encoder: (from: "refiner.encoder"), text: "a lake at noon", aesthetic: {score:?}),
    "refine": (type: "denoise", denoiser: (from: "refiner.denoiser"), positive: (from: "again"), latent: (from: "denoise"),
               steps: 8, strength: 0.3, guidance: 1.0),
    "decode": (type: "vae_decode", vae: (from: "refiner.vae"), latent: (from: "refine")),"#
        );
        let drawn = landscape(64, "steps: 4", &format!("name: \"score{score:?}\""));
        let decode = drawn.lines().find(|line| line.contains("\"decode\":")).unwrap().to_owned();
        studio.run(&drawn.replace(&decode, &extra)).unwrap();
        let saved = studio.saved().into_iter().find(|name| name.starts_with(&format!("score{score:?}"))).unwrap();
        picture_file::read(&studio.output.join(saved)).unwrap()
    };
    let (high, low) = (refined(6.5), refined(2.5));
    let gap = high.samples().iter().zip(low.samples()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(gap > 1.0 / 255.0, "the score changes nothing: {gap}");
}

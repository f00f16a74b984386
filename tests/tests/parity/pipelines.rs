//! Whole pipelines step by step: text to image, image to image, and the first of two experts, with every sampler that
//! is built. What a case asks for is read from its JSON file.

use std::path::Path;

use candle_core::Tensor;
use darkroom_models::folder::{Component, ModelFolder};
use darkroom_models::nn::{Compute, FeatureMap, Keep, Tokens};
use darkroom_models::prompt::Words;
use darkroom_models::sampling::{
    Calls, Done, Given, Guidance, Guided, NoiseDevice, NoiseMode, NoiseSource, Predictor, Schedule, SchedulerConfig,
    State, Table, sampler,
};
use darkroom_models::sdxl::conditioning::{Conditioning, Ending, Prompt, Request, Size, Sizes, Tower, encode_prompt};
use darkroom_models::sdxl::unet::{Added, Question};
use darkroom_models::sdxl::{TextEncoder, UNet, Vae};
use darkroom_models::weights::Options;
use darkroom_tests::reference::{self, Tensors, assert_close, max_abs, std_dev};
use serde_json::Value;

use super::NETWORK;

/// Largest error of a latent along a pipeline, in standard deviations.
const LATENT: f64 = 5e-4;
/// Largest error of a picture in [0, 1].
const IMAGE: f64 = 2e-4;

/// The classes of schedulers that are built, and whether the reference's latents are in variance-preserving scale.
const BUILT: &[(&str, bool)] = &[
    ("EulerDiscreteScheduler", false),
    ("EulerAncestralDiscreteScheduler", false),
    ("HeunDiscreteScheduler", false),
    ("DDIMScheduler", true),
    ("DPMSolverMultistepScheduler", true),
];

/// A model with everything loaded.
pub struct Model {
    folder: ModelFolder,
    pub unet: UNet,
    pub vae: Vae,
    pub encoders: Vec<TextEncoder>,
}

impl Model {
    /// Opens a folder to be computed with `compute`.
    pub fn open(folder: &Path, compute: &Compute) -> Self {
        let folder = ModelFolder::open(folder).unwrap();
        let weights = |component| folder.weights(component, Options::default()).unwrap().with_compute(compute.clone());
        let configs = folder.configs();
        let text = |component, config: &Option<_>| {
            config.as_ref().map(|config| TextEncoder::load(config, &weights(component), Keep::All).unwrap())
        };
        let encoders = [
            text(Component::TextEncoder, &configs.text_encoder),
            text(Component::TextEncoder2, &configs.text_encoder_2),
        ];
        Self {
            unet: UNet::load(&configs.unet, &weights(Component::UNet), Keep::All).unwrap(),
            vae: Vae::load(&configs.vae, &weights(Component::Vae), Keep::All).unwrap(),
            encoders: encoders.into_iter().flatten().collect(),
            folder,
        }
    }

    fn encode(&self, call: &Value) -> (Conditioning, Conditioning) {
        let negative = prompts(call, "negative_prompt");
        self.encode_request(Request {
            positive: &prompts(call, "prompt").unwrap(),
            negative: negative.as_deref(),
            clip_skip: call["clip_skip"].as_u64().unwrap_or(0) as usize,
            ..Request::default()
        })
    }

    /// Encodes a prompt and its negative, or what the model was trained with where there is none.
    pub fn encode_request(&self, request: Request<'_>) -> (Conditioning, Conditioning) {
        let tokenizers =
            [Component::Tokenizer, Component::Tokenizer2].map(|component| self.folder.tokenizer(component).unwrap());
        let words = Words::default();
        let towers: Vec<_> = tokenizers
            .iter()
            .zip(&self.encoders)
            .map(|(tokenizer, encoder)| Tower { tokenizer, encoder, words: &words })
            .collect();
        let force_zeros = self.folder.configs().index.force_zeros_for_empty_prompt;
        encode_prompt(&towers, Request { force_zeros, ..request }, &mut ()).unwrap()
    }

    /// Decodes a scaled latent to a picture in [0, 1].
    pub fn picture(&self, latent: &Tensor) -> Tensor {
        let decoded = self.vae.decode(&FeatureMap::from_tensor(latent).unwrap(), &mut ()).unwrap().to_tensor().unwrap();
        decoded.affine(0.5, 0.5).unwrap().clamp(0.0, 1.0).unwrap()
    }
}

fn prompts<'a>(call: &'a Value, name: &str) -> Option<Vec<Prompt<'a>>> {
    let texts: Vec<&str> = match &call[name] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    Some(texts.into_iter().map(|text| Prompt { text, second: None }).collect())
}

fn pair(call: &Value, name: &str) -> Option<(u32, u32)> {
    let list = call[name].as_array()?;
    Some((list[0].as_u64()? as u32, list[1].as_u64()? as u32))
}

/// The sizes of one side, by the reference's rule: what is not given is the picture's own, and the negative side takes
/// its own numbers only where its original and target sizes are both given.
fn sizes(call: &Value, side: &str, picture: Size) -> Sizes {
    let of = |name: &str| pair(call, &format!("{side}{name}"));
    let size = |pair: Option<(u32, u32)>| pair.map_or(picture, |(height, width)| Size { height, width });
    let (crop_top, crop_left) = of("crops_coords_top_left").unwrap_or((0, 0));
    Sizes { original: size(of("original_size")), crop_top, crop_left, ending: Ending::Target(size(of("target_size"))) }
}

/// Both sides of a prompt, each once for every picture, negative first.
pub fn join(sides: &[(&Conditioning, &Sizes)]) -> (Tokens, Added) {
    let context: Vec<_> = sides.iter().map(|(side, _)| &side.context).collect();
    let pooled: Vec<_> = sides.iter().map(|(side, _)| side.pooled.as_ref().unwrap()).collect();
    let rows = |(side, sizes): &(&Conditioning, &Sizes)| vec![sizes.time_ids(); side.context.dims().0];
    let added =
        Added { pooled: Tokens::concat_batch(&pooled).unwrap(), time_ids: sides.iter().flat_map(rows).collect() };
    (Tokens::concat_batch(&context).unwrap(), added)
}

/// One case of the set.
pub struct Case {
    pub name: String,
    facts: Value,
    pub want: Tensors,
    preserving: bool,
}

/// The cases of a model that what is built so far can run.
pub fn cases() -> Vec<Case> {
    let folder = reference::root().join("expected/pipelines");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    let case = |name: String| {
        let topic = format!("pipelines/{name}");
        let facts = reference::facts(&topic);
        let class = facts["scheduler"]["class"].as_str().unwrap();
        let (_, preserving) = BUILT.iter().find(|(built, _)| *built == class)?;
        let call = &facts["call"];
        // Masks and refiners are what nodes do together: see `craft`.
        let built = call["mask_image"].is_null() && call["denoising_start"].is_null() && !name.contains("refiner");
        built.then(|| Case { want: reference::tensors(&topic), name, preserving: *preserving, facts: facts.clone() })
    };
    names.into_iter().filter_map(case).collect()
}

#[test]
fn pipelines_agree_with_the_reference_after_every_step() {
    let model = base(&Compute::default());
    let cases = cases();
    for case in &cases {
        if let Some(image) = run(&model, case, Limits { text: NETWORK, latent: LATENT }) {
            let off = max_abs(&image, case.want.get("image"));
            assert!(off <= IMAGE, "{}: the picture is off by {off}", case.name);
        }
    }
    let kinds = |word: &str| cases.iter().filter(|case| case.name.contains(word)).count();
    assert!(kinds("t2i") >= 3 && kinds("i2i") >= 1, "too few cases in the set: {}", cases.len());
}

/// Opens the model of the cases.
pub fn base(compute: &Compute) -> Model {
    Model::open(&reference::root().join("models/tiny-sdxl-base"), compute)
}

/// How far off a case may be on its way to the picture.
#[derive(Clone, Copy)]
pub struct Limits {
    /// The encoded text.
    pub text: f64,
    /// Each latent, in standard deviations.
    pub latent: f64,
}

/// Runs a case, holding what it makes on its way against the reference; returns the picture in [0, 1], if it ends in one.
pub fn run(model: &Model, case: &Case, limits: Limits) -> Option<Tensor> {
    let (name, call, want) = (&case.name, &case.facts["call"], &case.want);
    let steps = call["num_inference_steps"].as_u64().unwrap() as usize;
    let config: SchedulerConfig = serde_json::from_value(case.facts["scheduler"].clone()).unwrap();
    let info = config.sampler().and_then(sampler).unwrap();
    let schedule = Schedule::from_config(&config, info.rules, Table::Model, steps).unwrap();
    let first = want.get("latents.0");
    let (batch, channels, height, width) = first.dims4().unwrap();
    let picture = Size { height: 8 * height as u32, width: 8 * width as u32 };

    let (positive, negative) = model.encode(call);
    let sizes_positive = sizes(call, "", picture);
    let apart = pair(call, "negative_original_size").is_some() && pair(call, "negative_target_size").is_some();
    let sizes_negative = if apart { sizes(call, "negative_", picture) } else { sizes_positive };
    let guidance = Guidance {
        scale: call["guidance_scale"].as_f64().unwrap(),
        rescale: call["guidance_rescale"].as_f64().unwrap_or(0.0),
    };
    let sides: &[_] = if guidance.is_on() {
        &[(&negative, &sizes_negative), (&positive, &sizes_positive)]
    } else {
        &[(&positive, &sizes_positive)]
    };
    let (context, added) = join(sides);
    assert_close(
        &format!("{name} text"),
        &context.to_tensor().unwrap(),
        want.get("encoder_hidden_states"),
        limits.text,
    );

    let mut noise = NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, case.facts["seed"].as_u64().unwrap());
    if let Some(eta) = call["eta"].as_f64() {
        noise = noise.with_eta(eta);
    }
    let shape = (batch, channels, height, width);
    let (start, schedule) = match want.find("in.image") {
        None => (State::new(schedule.initial(&noise.initial(shape).unwrap()).unwrap(), 0), schedule),
        Some(image) => {
            // The reference draws the autoencoder's sample first, then the noise.
            let pixels = FeatureMap::from_tensor(&image.affine(2.0, -1.0).unwrap()).unwrap();
            let moments = model.vae.encode(&pixels, &mut ()).unwrap();
            let sample = FeatureMap::from_tensor(&noise.draw(shape).unwrap()).unwrap();
            let clean = moments.sample(&sample).unwrap().to_tensor().unwrap();
            let index = schedule.start_of_strength(call["strength"].as_f64().unwrap());
            let fresh = noise.draw(shape).unwrap();
            (State::new(schedule.noised(&clean, &fresh, index).unwrap(), index), schedule)
        }
    };
    let schedule = match call["denoising_end"].as_f64() {
        Some(fraction) => {
            let stop = schedule.handover(fraction);
            schedule.stopping_at(stop)
        }
        None => schedule,
    };

    let ask = |x: &Tensor, timestep: f64| {
        let sample = FeatureMap::from_tensor(x).unwrap();
        let question = Question { sample: &sample, timestep, context: &context, added: Some(&added) };
        Ok(model.unet.forward(question, &mut ()).unwrap().to_tensor().unwrap())
    };
    let calls = if guidance.is_on() { Calls::Together(&ask) } else { Calls::Positive(&ask) };
    let guided = Guided { calls, guidance };
    let predictor = Predictor { network: &guided, prediction: schedule.prediction };
    let begin = start.index;
    let mut compared = 0;
    let mut on_step = |done: Done<'_>| {
        let wanted = want.get(&format!("latents.{}", done.state.index - 1 - begin));
        let sigma = done.step.next.sigma;
        let scale = if case.preserving { 1.0 / (sigma * sigma + 1.0).sqrt() } else { 1.0 };
        let got = done.state.x.affine(scale, 0.0).unwrap();
        assert_close(
            &format!("{name} latents.{}", done.state.index - 1 - begin),
            &got,
            wanted,
            limits.latent * std_dev(wanted).max(1.0),
        );
        compared += 1;
        Ok(())
    };
    let given = Given { model: &predictor, schedule: &schedule, noise: &mut noise, on_step: &mut on_step };
    let end = (info.run)(given, start).unwrap();
    assert!(compared > 0 && want.find(&format!("latents.{compared}")).is_none(), "{name}: {compared} steps were taken");
    let ends_in_a_picture = call["output_type"].as_str() != Some("latent");
    ends_in_a_picture.then(|| model.picture(&schedule.finish(&end.x).unwrap()))
}

//! What a picture loses in the modes that do not compute in f32 alone: the reference's cases, and pictures of the built-in
//! model against those in `exact`.

use std::path::Path;

use candle_core::Tensor;
use darkroom_kernels::Tier;
use darkroom_models::{
    nn::{Card, Compute, FeatureMap, Mode},
    sampling::{
        Calls, Given, Guidance, Guided, NoiseDevice, NoiseMode, NoiseSource, Predictor, Schedule, SchedulerConfig,
        State, Table, sampler,
    },
    sdxl::{
        conditioning::{Ending, Prompt, Request, Size, Sizes},
        unet::Question,
    },
};
use darkroom_tests::reference::{self, psnr};

use super::pipelines::{self, Limits, Model};

/// The least likeness of a picture in `fast` to that of the reference and to that in `exact`, in decibels.
const FAST: f64 = 40.0;
/// The same of a picture in `int8`.
const INT8: f64 = 30.0;

#[test]
fn pipelines_in_every_mode_end_in_the_pictures_of_the_reference() {
    let computes = [
        (Compute::new(Mode::Fast), FAST),
        (Compute::new(Mode::Int8), INT8),
        (Compute::card(Card::processor_in_bf16(), Mode::Fast), FAST),
    ];
    for (compute, least) in computes {
        let (model, numerics) = (pipelines::base(&compute), compute.numerics());
        let mut pictures = 0;
        for case in pipelines::cases() {
            // On the way it is enough that nothing is broken, which is off by a standard deviation and more: a factor in
            // bf16 is up to 2^-9 off, dozens of layers stand behind each other, and guidance multiplies what they leave
            // in a latent. Measured in `fast`: 2.4e-2 and 7.8e-2.
            if let Some(image) = pipelines::run(&model, &case, Limits { text: 0.1, latent: 0.5 }) {
                let likeness = psnr(&image, case.want.get("image"));
                assert!(likeness >= least, "{} in {numerics}: {likeness:.1} dB", case.name);
                pictures += 1;
            }
        }
        assert!(pictures >= 4, "only {pictures} pictures");
    }
}

/// What the built-in model is asked to draw.
struct Wish {
    prompt: &'static str,
    negative: Option<&'static str>,
    seed: u64,
}

const WISHES: &[Wish] = &[
    Wish { prompt: "a serene landscape with mountains and a lake at sunset", negative: None, seed: 20 },
    Wish { prompt: "a house in the desert at noon", negative: Some("night"), seed: 7 },
];

const STEPS: usize = 20;
/// Pixels of an edge.
const EDGE: usize = 256;

fn mini() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini")
}

/// Draws with the built-in model, as its golden picture is drawn but in more steps; returns a picture in [0, 1].
fn draw(model: &Model, wish: &Wish) -> Tensor {
    let text = std::fs::read_to_string(mini().join("weights/scheduler/scheduler_config.json")).unwrap();
    let config = SchedulerConfig::from_json(&text).unwrap();
    let info = config.sampler().and_then(sampler).unwrap();
    let schedule = Schedule::from_config(&config, info.rules, Table::Model, STEPS).unwrap();
    let prompt = |text| [Prompt { text, second: None }];
    let negative = wish.negative.map(prompt);
    let (positive, negative) = model.encode_request(Request {
        positive: &prompt(wish.prompt),
        negative: negative.as_ref().map(|prompts| &prompts[..]),
        ..Request::default()
    });
    let size = Size { height: EDGE as u32, width: EDGE as u32 };
    let sizes = Sizes { original: size, crop_top: 0, crop_left: 0, ending: Ending::Target(size) };
    let (context, added) = pipelines::join(&[(&negative, &sizes), (&positive, &sizes)]);
    let context = context.remembering();
    let ask = |x: &Tensor, timestep: f64| {
        let sample = FeatureMap::from_tensor(x).unwrap();
        let question = Question { sample: &sample, timestep, context: &context, added: Some(&added) };
        Ok(model.unet.forward(question, &mut ()).unwrap().to_tensor().unwrap())
    };
    let scale = reference::json_at(&mini().join("golden/landscape.json"))["guidance"].as_f64().unwrap();
    let guided = Guided { calls: Calls::Together(&ask), guidance: Guidance { scale, rescale: 0.0 } };
    let predictor = Predictor { network: &guided, prediction: schedule.prediction };
    let mut noise = NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, wish.seed);
    let first = noise.initial((1, 4, EDGE / 8, EDGE / 8)).unwrap();
    let start = State::new(schedule.initial(&first).unwrap(), 0);
    let given = Given { model: &predictor, schedule: &schedule, noise: &mut noise, on_step: &mut |_| Ok(()) };
    let end = (info.run)(given, start).unwrap();
    model.picture(&schedule.finish(&end.x).unwrap())
}

#[test]
fn pictures_of_the_built_in_model_are_like_those_in_exact() {
    let open = |mode| Model::open(&mini().join("weights"), &Compute::new(mode));
    let exact = open(Mode::Exact);
    let wanted: Vec<_> = WISHES.iter().map(|wish| draw(&exact, wish)).collect();
    for (mode, least) in [(Mode::Fast, FAST), (Mode::Int8, INT8)] {
        let model = open(mode);
        for (wish, wanted) in WISHES.iter().zip(&wanted) {
            let likeness = psnr(&draw(&model, wish), wanted);
            assert!(likeness >= least, "{mode} draws `{}` at {likeness:.1} dB", wish.prompt);
            // Where nothing multiplies bf16, `fast` may be `exact`.
            let is_other = mode == Mode::Int8 || Tier::chosen().has_bf16();
            assert!(likeness.is_finite() || !is_other, "{mode} changes nothing");
        }
    }
}

//! Image to image, inpainting and refining through the whole program, held against diffusers' own pipelines: one seed
//! for all nodes of a graph gives the picture that it gives there.

use std::path::Path;

use candle_core::{IndexOp, Tensor};
use darkroom_core::Node;
use darkroom_core::cache::Cache;
use darkroom_core::context::Context;
use darkroom_core::engine::{Engine, Report};
use darkroom_core::fault::{Fault, Faults};
use darkroom_core::files::Files;
use darkroom_core::graph;
use darkroom_core::history::History;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::node::Node;
use darkroom_core::observe::Cancel;
use darkroom_core::plan::{Goal, Wish};
use darkroom_core::residency::Ledger;
use darkroom_models::nn::{Compute, Mode};
use darkroom_nodes::wires::latent::Latent;
use darkroom_tests::reference::{self, assert_close, max_abs, std_dev};
use serde_json::Value;

/// Largest error of a latent along a pipeline, in standard deviations.
const LATENT: f64 = 5e-4;
/// Largest error of a picture in [0, 1].
const IMAGE: f64 = 2e-4;

/// Hands in a recorded picture as it was, which no file format of eight bits can.
#[derive(Node)]
#[node(id = "given", version = 1, category = "Test", lane = "light")]
struct Given {
    /// The recorded case.
    #[param]
    topic: String,
    /// The tensor in it: (1, 1 or 3, height, width), 0 to 1, or bytes (height, width) or (height, width, 3).
    #[param]
    name: String,
}

impl Node for Given {
    type Output = Pictures;

    fn run(self, _: &mut Context<'_>) -> Result<Pictures, Fault> {
        let tensors = reference::tensors(&self.topic);
        Ok(Pictures::new(vec![picture(tensors.get(&self.name))]))
    }
}

fn picture(recorded: &Tensor) -> Picture {
    let (x, scale) = match recorded.dims() {
        [_, _, _, _] => (recorded.i(0).unwrap().permute((1, 2, 0)).unwrap(), 1.0),
        [_, _] => (recorded.unsqueeze(2).unwrap(), 255.0),
        _ => (recorded.clone(), 255.0),
    };
    let (height, width, channels) = x.dims3().unwrap();
    let x = x.to_dtype(candle_core::DType::F32).unwrap().repeat((1, 1, 3 / channels)).unwrap();
    let samples = x.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(|sample| sample / scale);
    Picture::new(width as u32, height as u32, 3, samples.collect::<Vec<_>>()).unwrap()
}

/// Hands in a recorded latent, as one that `denoise` left before its end.
#[derive(Node)]
#[node(id = "given_latent", version = 1, category = "Test", lane = "light")]
struct GivenLatent {
    /// The recorded case.
    #[param]
    topic: String,
    /// The tensor in it.
    #[param]
    name: String,
    /// The sigma that is left in it.
    #[param]
    noise_left: f64,
}

impl Node for GivenLatent {
    type Output = Latent;

    fn run(self, _: &mut Context<'_>) -> Result<Latent, Fault> {
        let x = reference::tensors(&self.topic).get(&self.name).clone();
        let (count, _, height, width) = x.dims4().unwrap();
        let blank = Latent::blank("sdxl", 8 * width as u32, 8 * height as u32, count as u32);
        Ok(Latent { x: Some(x), noise_left: self.noise_left, ..blank })
    }
}

/// Runs a workflow up to a node.
fn develop(workflow: &str, node: &str, models: &Path) -> Result<Report, Faults> {
    let home = tempfile::tempdir().unwrap();
    let files = Files::new(vec![models.to_owned()], home.path().to_owned());
    let registry = darkroom_nodes::registry().with::<Given>().with::<GivenLatent>();
    let host = darkroom_nodes::host(files, &Compute::new(Mode::Exact));
    let engine = Engine::new(registry, host, Cache::in_memory(1 << 30), Ledger::new(8 << 30), History::in_memory());
    let graph = graph::read(workflow).unwrap().graph;
    engine.run(&graph, &Wish { goal: Goal::Node(node.to_owned()), fresh: false }, &(), &Cancel::new())
}

/// What a run that must fail says, with the way out.
fn words(result: Result<Report, Faults>) -> String {
    let faults = result.expect_err("this must not run");
    let each = faults.0.iter().map(|located| format!("{located}; {}", located.fault.hint.as_deref().unwrap_or("")));
    each.collect::<Vec<_>>().join("\n")
}

fn latent(report: &Report) -> Latent {
    report.results[0].1[0].get::<Latent>().unwrap().clone()
}

fn pictures(report: &Report) -> Tensor {
    let pictures = report.results[0].1[0].get::<Pictures>().unwrap();
    tensor(pictures.iter().next().unwrap())
}

fn tensor(picture: &Picture) -> Tensor {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let channels = picture.channels() as usize;
    let x = Tensor::from_slice(picture.samples(), (1, height, width, channels), &candle_core::Device::Cpu);
    x.unwrap().permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
}

fn models() -> std::path::PathBuf {
    reference::root().join("models")
}

/// A recorded case, and what all of its nodes have in common.
struct Case {
    topic: String,
    facts: Value,
}

impl Case {
    fn new(name: &str) -> Self {
        let topic = format!("pipelines/{name}");
        Self { facts: reference::facts(&topic), topic }
    }

    fn seed(&self) -> u64 {
        self.facts["seed"].as_u64().unwrap()
    }

    /// Model and prompt.
    fn head(&self, model: &str) -> String {
        let call = &self.facts["call"];
        let negative = call["negative_prompt"].as_str().map(|text| format!(", negative: {text:?}"));
        format!(
            r#""model": (type: "load_model", source: "{model}"),
               "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: {}{}),"#,
            call["prompt"],
            negative.unwrap_or_default()
        )
    }

    /// What a walk is told of seed, steps and guidance.
    fn walk(&self) -> String {
        let call = &self.facts["call"];
        let sampler = match self.facts["scheduler"]["class"].as_str() {
            Some("DPMSolverMultistepScheduler") => "dpmpp_2m",
            _ => "euler",
        };
        format!(
            r#"denoiser: (from: "model.denoiser"), positive: (from: "prompt"), seed: {}, steps: {}, guidance: {:?}, sampler: "{sampler}""#,
            self.seed(),
            call["num_inference_steps"],
            call["guidance_scale"].as_f64().unwrap()
        )
    }

    fn given(&self, node: &str, name: &str) -> String {
        format!(r#""{node}": (type: "given", topic: "{}", name: "{name}"),"#, self.topic)
    }

    fn number(&self, name: &str) -> f64 {
        self.facts["call"][name].as_f64().unwrap()
    }

    /// Runs the nodes, and compares the last latent and the picture.
    fn check(&self, models: &Path, nodes: &str) {
        let want = reference::tensors(&self.topic);
        let decode = r#""decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "draw")),"#;
        let workflow = format!("(darkroom: 1, nodes: {{ {nodes} {decode} }})");
        let last = (0..).take_while(|i| want.find(&format!("latents.{i}")).is_some()).last().unwrap();
        let wanted = want.get(&format!("latents.{last}"));
        let made = latent(&develop(&workflow, "draw", models).unwrap());
        let name = &self.topic;
        assert_close(&format!("{name} latent"), &made.x.unwrap(), wanted, LATENT * std_dev(wanted).max(1.0));
        if made.noise_left == 0.0 {
            let off = max_abs(&pictures(&develop(&workflow, "decode", models).unwrap()), want.get("image"));
            assert!(off <= IMAGE, "{name}: the picture is off by {off}");
        }
    }
}

#[test]
fn a_picture_is_drawn_anew_as_by_the_reference() {
    for name in ["i2i_euler_s06", "i2i_dpmpp2m_s035_nonsquare"] {
        let case = Case::new(name);
        let nodes = format!(
            r#"{} {} "clean": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "photo"), pick: "sample", seed: {}),
               "draw": (type: "denoise", latent: (from: "clean"), strength: {:?}, {}),"#,
            case.head("tiny-sdxl-base"),
            case.given("photo", "in.image"),
            case.seed(),
            case.number("strength"),
            case.walk()
        );
        case.check(&models(), &nodes);
    }
}

#[test]
fn a_part_is_drawn_anew_as_by_the_reference() {
    let inpaint = tempfile::tempdir().unwrap();
    // The set holds the inpainting UNet alone; the rest is the base's.
    for model in ["tiny-sdxl-base", "tiny-sdxl-inpaint9"] {
        copy(&models().join(model), &inpaint.path().join("tiny-sdxl-inpaint9"));
    }
    let base = models();
    for (name, model, folder) in [
        ("inpaint4_s08", "tiny-sdxl-base", &*base),
        ("inpaint4_s1", "tiny-sdxl-base", &*base),
        ("inpaint9_s099", "tiny-sdxl-inpaint9", inpaint.path()),
    ] {
        let case = Case::new(name);
        let nodes = format!(
            r#"{} {} {}
               "part": (type: "inpaint", vae: (from: "model.vae"), image: (from: "photo"), mask: (from: "mask"), pick: "sample", seed: {}),
               "draw": (type: "denoise", latent: (from: "part"), strength: {:?}, {}),"#,
            case.head(model),
            case.given("photo", "in.image"),
            case.given("mask", "in.mask_image"),
            case.seed(),
            case.number("strength"),
            case.walk()
        );
        case.check(folder, &nodes);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() { copy(&from, &to) } else { std::fs::write(&to, std::fs::read(&from).unwrap()).unwrap() }
    }
}

#[test]
fn an_inpaint_denoiser_without_a_mask_says_what_it_wants() {
    let inpaint = tempfile::tempdir().unwrap();
    for model in ["tiny-sdxl-base", "tiny-sdxl-inpaint9"] {
        copy(&models().join(model), &inpaint.path().join("tiny"));
    }
    let case = Case::new("t2i_euler");
    let nodes = format!(
        r#"{} "blank": (type: "empty_latent", width: 64, height: 64), "draw": (type: "denoise", latent: (from: "blank"), {}),"#,
        case.head("tiny"),
        case.walk()
    );
    let words = words(develop(&format!("(darkroom: 1, nodes: {{ {nodes} }})"), "draw", inpaint.path()));
    assert!(words.contains("draws a part of a picture anew") && words.contains("`inpaint`"), "{words}");
}

/// The base's half as a graph.
fn base_half(end: f64) -> String {
    let case = Case::new("experts_base_end08");
    format!(
        r#"{} "blank": (type: "empty_latent", width: {}, height: {}),
           "draw": (type: "denoise", latent: (from: "blank"), end: {end:?}, {}),"#,
        case.head("tiny-sdxl-base"),
        case.facts["call"]["width"],
        case.facts["call"]["height"],
        case.walk()
    )
}

#[test]
fn the_base_hands_over_as_the_reference_does() {
    let case = Case::new("experts_base_end08");
    case.check(&models(), &base_half(case.number("denoising_end")));
}

#[test]
fn the_refiner_goes_on_as_the_reference_does() {
    let case = Case::new("experts_refiner_start08");
    for start in [Some(case.number("denoising_start")), None] {
        let want = reference::tensors(&case.topic);
        let taken = (0..).take_while(|i| want.find(&format!("latents.{i}")).is_some()).count();
        let sigmas = reference::values(want.get("sigmas"));
        let left = sigmas[sigmas.len() - 1 - taken];
        let start = start.map(|start| format!("start: {start:?},")).unwrap_or_default();
        let nodes = format!(
            r#"{} "left": (type: "given_latent", topic: "{}", name: "in.image", noise_left: {left:?}),
               "draw": (type: "refine", latent: (from: "left"), {start} {}),"#,
            case.head("tiny-sdxl-refiner"),
            case.topic,
            case.walk()
        );
        case.check(&models(), &nodes);
    }
}

#[test]
fn base_and_refiner_share_the_way_in_one_graph() {
    let (base, refiner) = (Case::new("experts_base_end08"), Case::new("experts_refiner_start08"));
    let rename = |text: &str| text.replace("\"model", "\"second").replace("\"prompt\"", "\"again\"");
    let nodes = format!(
        r#"{} {} "refined": (type: "refine", latent: (from: "draw"), {}),
           "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "refined")),"#,
        base_half(base.number("denoising_end")),
        rename(&refiner.head("tiny-sdxl-refiner")),
        rename(&refiner.walk())
    );
    let report = develop(&format!("(darkroom: 1, nodes: {{ {nodes} }})"), "decode", &models()).unwrap();
    let off = max_abs(&pictures(&report), reference::tensors(&refiner.topic).get("image"));
    assert!(off <= IMAGE, "the picture is off by {off}");
}

#[test]
fn a_refiner_draws_a_picture_anew_as_by_the_reference() {
    let case = Case::new("refiner_i2i_s03");
    let nodes = format!(
        r#"{} {} "clean": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "photo"), pick: "sample", seed: {}),
           "draw": (type: "refine", latent: (from: "clean"), strength: {:?}, {}),"#,
        case.head("tiny-sdxl-refiner"),
        case.given("photo", "in.image"),
        case.seed(),
        case.number("strength"),
        case.walk()
    );
    case.check(&models(), &nodes);
}

#[test]
fn a_refiner_refuses_the_prompt_of_the_base() {
    let case = Case::new("experts_base_end08");
    let nodes = format!(
        r#"{} "refiner": (type: "load_model", source: "tiny-sdxl-refiner"),
           "refined": (type: "refine", denoiser: (from: "refiner.denoiser"), positive: (from: "prompt"), latent: (from: "draw")),"#,
        base_half(case.number("denoising_end"))
    );
    let faults =
        develop(&format!("(darkroom: 1, nodes: {{ {nodes} }})"), "refined", &models()).expect_err("other text");
    let words = faults.to_string();
    assert!(words.contains("sdxl-refiner") && words.contains("`prompt`"), "{words}");
    assert!(!words.contains("`latent`"), "the base's latent fits a refiner: {words}");
}

#[test]
fn strength_0_hands_a_latent_on_and_a_finished_one_has_no_start() {
    let case = Case::new("refiner_i2i_s03");
    let workflow = |walk: &str| {
        format!(
            r#"(darkroom: 1, nodes: {{ {} {} "clean": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "photo")),
               "draw": (type: "refine", latent: (from: "clean"), {walk} {}) }})"#,
            case.head("tiny-sdxl-refiner"),
            case.given("photo", "in.image"),
            case.walk()
        )
    };
    let untouched = latent(&develop(&workflow("strength: 0.0,"), "draw", &models()).unwrap());
    let clean = latent(&develop(&workflow("strength: 0.0,"), "clean", &models()).unwrap());
    assert_eq!(reference::values(&untouched.x.unwrap()), reference::values(&clean.x.unwrap()));
    let words = words(develop(&workflow("start: 0.8,"), "draw", &models()));
    assert!(words.contains("this latent is finished") && words.contains("`end`"), "{words}");
}

#[test]
fn pictures_and_masks_are_brought_to_size_as_by_the_reference() {
    const TOPIC: &str = "sdxl/image_processing";
    let want = reference::tensors(TOPIC);
    let given = |node: &str, name: &str| format!(r#""{node}": (type: "given", topic: "{TOPIC}", name: "{name}"),"#);
    let run = |nodes: &str, node: &str| {
        let workflow =
            format!("(darkroom: 1, nodes: {{ {} {} {nodes} }})", given("photo", "rgb_u8"), given("mask", "mask_u8"));
        pictures(&develop(&workflow, node, &models()).unwrap())
    };
    let stretched = |to: &str, node: &str| {
        let (_, channels, height, width) = want.get(to).dims4().unwrap();
        let nodes = format!(
            r#""sized": (type: "upscale", image: (from: "{node}"), width: {width}, height: {height}, filter: "pillow"),"#
        );
        run(&nodes, "sized").narrow(1, 0, channels).unwrap()
    };
    // Whole bytes: one level more or less would be 0.008.
    for name in ["preprocessed_64x96", "preprocessed_default"] {
        let got = stretched(name, "photo").affine(2.0, -1.0).unwrap();
        assert_close(name, &got, want.get(name), 1e-6);
    }
    let grey = stretched("mask_preprocessed_64x96", "mask");
    let white = reference::values(&grey).into_iter().map(|value| f64::from(u8::from(value >= 0.5)));
    assert_eq!(white.collect::<Vec<_>>(), reference::values(want.get("mask_preprocessed_64x96")));

    let (_, _, height, width) = want.get("crop_fill_64x96").dims4().unwrap();
    let crop = format!(
        r#""part": (type: "crop_to_mask", image: (from: "photo"), mask: (from: "mask"), padding: 4, width: {width}, height: {height}),"#
    );
    let part = run(&crop, "part").affine(2.0, -1.0).unwrap();
    assert_close("crop_fill_64x96", &part, want.get("crop_fill_64x96"), 1e-6);
}

#[test]
fn a_mask_reaches_the_latent_as_by_the_reference() {
    let want = reference::tensors("sdxl/image_processing");
    let (_, _, height, width) = want.get("mask_latent").dims4().unwrap();
    let workflow = format!(
        r#"(darkroom: 1, nodes: {{
            "model": (type: "load_model", source: "tiny-sdxl-base"),
            "photo": (type: "given", topic: "sdxl/image_processing", name: "rgb_u8"),
            "mask": (type: "given", topic: "sdxl/image_processing", name: "mask_u8"),
            "sized": (type: "upscale", image: (from: "photo"), width: {}, height: {}),
            "part": (type: "inpaint", vae: (from: "model.vae"), image: (from: "sized"), mask: (from: "mask")),
        }})"#,
        8 * width,
        8 * height
    );
    let made = latent(&develop(&workflow, "part", &models()).unwrap());
    let mask = made.repaint.expect("it has a mask").mask;
    assert_eq!(reference::values(&mask), reference::values(want.get("mask_latent")));
}

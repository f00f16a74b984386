//! Whole pictures under control through the nodes, held against diffusers' own pipelines: one network on a part of the
//! way, two together, over a photo or a part of it, and one picture for each latent.

use candle_core::{Device, Tensor};
use darkroom_core::Node;
use darkroom_core::cache::Cache;
use darkroom_core::context::Context;
use darkroom_core::engine::{Engine, Report};
use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::graph;
use darkroom_core::history::History;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::node::Node;
use darkroom_core::observe::Cancel;
use darkroom_core::plan::{Goal, Wish};
use darkroom_core::residency::Ledger;
use darkroom_models::nn::{Compute, Mode};
use darkroom_nodes::pictures::picture_file;
use darkroom_nodes::wires::latent::Latent;
use darkroom_tests::reference::{self, assert_close, max_abs, std_dev, values};
use serde_json::Value;

/// Largest error of a latent along a pipeline, in standard deviations.
const LATENT: f64 = 5e-4;
/// Largest error of a picture in [0, 1].
const IMAGE: f64 = 2e-4;

/// Hands in several pictures as one batch.
#[derive(Node)]
#[node(id = "pile", version = 1, category = "Test", lane = "light")]
struct Pile {
    /// Their names, with blanks between them.
    #[param]
    names: String,
}

impl Node for Pile {
    type Output = Pictures;

    fn run(self, _: &mut Context<'_>) -> Result<Pictures, Fault> {
        let read = |name| picture_file::read(&reference::own().join(format!("controlnet/{name}.png")));
        Ok(Pictures::new(self.names.split(' ').map(read).collect::<Result<Vec<_>, _>>()?))
    }
}

fn develop(nodes: &str, goal: &str) -> Report {
    let home = tempfile::tempdir().unwrap();
    let files = Files::new(vec![reference::own()], home.path().to_owned());
    let (registry, host) =
        (darkroom_nodes::registry().with::<Pile>(), darkroom_nodes::host(files, &Compute::new(Mode::Exact)));
    let engine = Engine::new(registry, host, Cache::in_memory(1 << 30), Ledger::new(8 << 30), History::in_memory());
    let graph = graph::read(&format!("(darkroom: 1, nodes: {{ {nodes} }})")).unwrap().graph;
    engine.run(&graph, &Wish { goal: Goal::Node(goal.to_owned()), fresh: false }, &(), &Cancel::new()).unwrap()
}

fn latent(nodes: &str) -> Tensor {
    develop(nodes, "draw").results[0].1[0].get::<Latent>().unwrap().x.clone().unwrap()
}

fn pictures(nodes: &str) -> Tensor {
    let report = develop(nodes, "decode");
    let tensor = |picture: &Picture| {
        let shape = (1, picture.height() as usize, picture.width() as usize, 3);
        Tensor::from_slice(picture.samples(), shape, &Device::Cpu).unwrap().permute((0, 3, 1, 2)).unwrap()
    };
    let all: Vec<_> = report.results[0].1[0].get::<Pictures>().unwrap().iter().map(tensor).collect();
    Tensor::cat(&all, 0).unwrap().contiguous().unwrap()
}

fn words<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    value[name].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap()
}

/// The nodes of a case; `strength` takes the place of every control's own.
fn nodes(case: &Value, strength: Option<f64>) -> String {
    let (family, seed) = (case["family"].as_str().unwrap(), &case["seed"]);
    let model = if family == "sdxl" { "golden/models/tiny-sdxl-base" } else { "sd15/model" };
    let negative = case["negative"].as_str().map(|text| format!(", negative: {text:?}")).unwrap_or_default();
    let mut nodes = format!(
        r#""model": (type: "load_model", source: "{model}"),
           "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: {}{negative}),
           "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "draw")),"#,
        case["prompt"]
    );
    let mut before = String::new();
    for (i, control) in case["controls"].as_array().unwrap().iter().enumerate() {
        let strength = strength.unwrap_or_else(|| number(control, "strength"));
        nodes += &format!(
            r#""net{i}": (type: "load_controlnet", source: "controlnet/{}"),
               "seen{i}": (type: "pile", names: "{}"),
               "control{i}": (type: "control", controlnet: (from: "net{i}"), image: (from: "seen{i}"), {before}
                   strength: {strength:?}, start: {:?}, end: {:?}),"#,
            control["net"].as_str().unwrap(),
            words(control, "images").join(" "),
            number(control, "start"),
            number(control, "end")
        );
        before = format!(r#"before: (from: "control{i}"),"#);
    }
    let wired = before.replace("before", "control");
    let pile = |name: &str| format!(r#""{name}": (type: "pile", names: {}),"#, case[name]);
    nodes += &match (case["photo"].as_str(), case["mask"].as_str()) {
        (None, _) => format!(
            r#""sheet": (type: "empty_latent", width: {}, height: {}, count: {}, space: "{family}"),"#,
            case["width"], case["height"], case["count"]
        ),
        (Some(_), None) => format!(
            r#"{} "sheet": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "photo"), pick: "sample", seed: {seed}),"#,
            pile("photo")
        ),
        (Some(_), Some(_)) => format!(
            r#"{} {} "sheet": (type: "inpaint", vae: (from: "model.vae"), image: (from: "photo"), mask: (from: "mask"),
                   pick: "sample", seed: {seed}),"#,
            pile("photo"),
            pile("mask")
        ),
    };
    let strength = case["strength"].as_f64().unwrap_or(1.0);
    nodes
        + &format!(
            r#""draw": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "sheet"),
                   {wired} seed: {seed}, steps: {}, guidance: {:?}, strength: {strength:?}),"#,
            case["steps"],
            number(case, "guidance_scale")
        )
}

fn cases() -> serde_json::Map<String, Value> {
    let facts = reference::json_at(&reference::own().join("controlnet/expected.json"));
    facts["pipelines"].as_object().unwrap().clone()
}

#[test]
fn pictures_under_control_are_those_of_the_reference() {
    let want = reference::tensors_at(&reference::own().join("controlnet/expected.safetensors"));
    let cases = cases();
    assert!(cases.len() >= 6);
    for (name, case) in &cases {
        let nodes = nodes(case, None);
        let wanted = want.get(&format!("{name}.latent"));
        let got = latent(&nodes);
        assert_close(&format!("{name} latent"), &got, wanted, LATENT * std_dev(wanted).max(1.0));
        let off = max_abs(&pictures(&nodes), want.get(&format!("{name}.image")));
        assert!(off <= IMAGE, "{name}: the picture is off by {off}");
    }
}

#[test]
fn a_control_of_no_strength_changes_no_bit_and_one_of_some_does() {
    for name in ["two_nets", "one_picture_each"] {
        let case = &cases()[name];
        let last = case["controls"].as_array().unwrap().len() - 1;
        let wire = format!(r#"control: (from: "control{last}"),"#);
        let steered = nodes(case, None);
        assert!(steered.contains(&wire));
        let free = values(&latent(&steered.replace(&wire, "")));
        assert_eq!(values(&latent(&nodes(case, Some(0.0)))), free, "{name}");
        assert_ne!(values(&latent(&nodes(case, Some(0.5)))), free, "{name}");
    }
}

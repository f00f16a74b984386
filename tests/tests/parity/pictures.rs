//! Pictures through the whole program: a workflow, the engine, the nodes. The reference is diffusers' own pipeline, on
//! the tiny models of the set and on the model that is built in.

use std::path::Path;

use darkroom_core::cache::Cache;
use darkroom_core::engine::{Engine, Report};
use darkroom_core::files::Files;
use darkroom_core::graph;
use darkroom_core::history::History;
use darkroom_core::image::Pictures;
use darkroom_core::observe::Cancel;
use darkroom_core::plan::{Goal, Wish};
use darkroom_core::residency::Ledger;
use darkroom_models::nn::{Compute, Mode};
use darkroom_nodes::wires::latent::Latent;
use darkroom_tests::reference::{self, assert_close, std_dev, values};

/// Runs a workflow up to a node and returns its pictures.
fn develop(workflow: &str, node: &str, root: &Path) -> Pictures {
    run(workflow, node, root).results[0].1[0].get::<Pictures>().unwrap().clone()
}

fn run(workflow: &str, node: &str, root: &Path) -> Report {
    let home = tempfile::tempdir().unwrap();
    let files = Files::new(vec![root.to_owned()], home.path().to_owned());
    let host = darkroom_nodes::host(files, &Compute::new(Mode::Exact));
    let engine = Engine::new(
        darkroom_nodes::registry(),
        host,
        Cache::in_memory(1 << 30),
        Ledger::new(8 << 30),
        History::in_memory(),
    );
    let graph = graph::read(workflow).unwrap().graph;
    let wish = Wish { goal: Goal::Node(node.to_owned()), fresh: false };
    engine.run(&graph, &wish, &(), &Cancel::new()).unwrap()
}

/// The largest difference between a picture and a reference in NCHW, both in [0, 1].
fn difference(pictures: &Pictures, wanted: &candle_core::Tensor) -> f64 {
    let (count, channels, height, width) = wanted.dims4().unwrap();
    assert_eq!(pictures.len(), count);
    let wanted = values(wanted);
    let mut most = 0.0_f64;
    for (index, picture) in pictures.iter().enumerate() {
        assert_eq!((picture.width() as usize, picture.height() as usize), (width, height));
        for (i, sample) in picture.samples().iter().enumerate() {
            let (pixel, channel) = (i / channels, i % channels);
            let off = (f64::from(*sample) - wanted[(index * channels + channel) * height * width + pixel]).abs();
            most = if off.is_nan() { f64::INFINITY } else { most.max(off) };
        }
    }
    most
}

#[test]
fn the_built_in_model_draws_what_diffusers_draws_with_it() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/golden");
    let want = reference::tensors_at(&golden.join("landscape.safetensors"));
    let call = reference::json_at(&golden.join("landscape.json"));
    let workflow = format!(
        r#"(darkroom: 1, nodes: {{
            "model": (type: "load_model", source: "mini"),
            "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: {}),
            "blank": (type: "empty_latent", width: {}, height: {}),
            "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"),
                        latent: (from: "blank"), seed: {}, steps: {}, guidance: {:?}),
            "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
        }})"#,
        call["prompt"],
        call["width"],
        call["height"],
        call["seed"],
        call["steps"],
        call["guidance"].as_f64().unwrap()
    );
    let off = difference(&develop(&workflow, "decode", Path::new(".")), want.get("image"));
    assert!(off <= 2e-4, "the picture is off by {off}");
}

#[test]
fn the_built_in_controlnet_steers_as_diffusers_steers_with_it() {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini");
    let latents = reference::tensors_at(&mini.join("golden/control.safetensors")).get("latents").clone();
    let call = reference::json_at(&mini.join("golden/control.json"));
    let workflow = format!(
        r#"(darkroom: 1, nodes: {{
            "photo": (type: "load_image", file: {}),
            "edges": (type: "canny", image: (from: "photo"), low: {}, high: {}),
            "net": (type: "load_controlnet", source: "mini"),
            "control": (type: "control", controlnet: (from: "net"), image: (from: "edges"), strength: {:?}),
            "model": (type: "load_model", source: "mini"),
            "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: {}),
            "blank": (type: "empty_latent", width: 256, height: 256),
            "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"),
                        latent: (from: "blank"), control: (from: "control"), seed: {}, steps: {}, guidance: {:?}),
        }})"#,
        call["picture"],
        call["low"],
        call["high"],
        call["strength"].as_f64().unwrap(),
        call["prompt"],
        call["seed"],
        call["steps"],
        call["guidance"].as_f64().unwrap()
    );
    let report = run(&workflow, "denoise", &mini.join("../graphs/pictures"));
    let made = report.results[0].1[0].get::<Latent>().unwrap().x.clone().unwrap();
    let wanted = latents.narrow(0, latents.dim(0).unwrap() - 1, 1).unwrap();
    assert_close("steered latent", &made, &wanted, 5e-4 * std_dev(&wanted).max(1.0));
}

#[test]
fn a_workflow_on_a_folder_draws_what_the_reference_draws() {
    let want = reference::tensors("pipelines/t2i_euler");
    let facts = reference::facts("pipelines/t2i_euler");
    let call = &facts["call"];
    let workflow = format!(
        r#"(darkroom: 1, nodes: {{
            "model": (type: "load_model", source: "tiny-sdxl-base"),
            "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: {}),
            "blank": (type: "empty_latent", width: {}, height: {}),
            "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"),
                        latent: (from: "blank"), seed: {}, steps: {}, guidance: {:?}),
            "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
        }})"#,
        call["prompt"],
        call["width"],
        call["height"],
        facts["seed"],
        call["num_inference_steps"],
        call["guidance_scale"].as_f64().unwrap()
    );
    let off = difference(&develop(&workflow, "decode", &reference::root().join("models")), want.get("image"));
    assert!(off <= 2e-4, "the picture is off by {off}");
}

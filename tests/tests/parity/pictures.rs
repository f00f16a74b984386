//! Pictures through the whole program: a workflow, the engine, the nodes. The reference is diffusers' own pipeline, on
//! the tiny models of the set and on the model that is built in.

use std::path::Path;

use darkroom_core::cache::Cache;
use darkroom_core::engine::Engine;
use darkroom_core::files::Files;
use darkroom_core::graph;
use darkroom_core::history::History;
use darkroom_core::image::Pictures;
use darkroom_core::observe::Cancel;
use darkroom_core::plan::{Goal, Wish};
use darkroom_core::residency::Ledger;
use darkroom_tests::reference::{self, values};

/// Runs a workflow up to a node and returns its pictures.
fn develop(workflow: &str, node: &str, root: &Path) -> Pictures {
    let home = tempfile::tempdir().unwrap();
    let files = Files::new(vec![root.to_owned()], home.path().to_owned());
    let host = darkroom_nodes::host(files);
    let engine = Engine::new(
        darkroom_nodes::registry(),
        host,
        Cache::in_memory(1 << 30),
        Ledger::new(8 << 30),
        History::in_memory(),
    );
    let graph = graph::read(workflow).unwrap().graph;
    let wish = Wish { goal: Goal::Node(node.to_owned()), fresh: false };
    let report = engine.run(&graph, &wish, &(), &Cancel::new()).unwrap();
    report.results[0].1[0].get::<Pictures>().unwrap().clone()
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

//! What is said of one model alone: how exactly it computes, and where its weights are.

use candle_core::DType;
use darkroom_core::engine::Engine;
use darkroom_core::graph;
use darkroom_core::image::Pictures;
use darkroom_core::observe::{Cancel, How};
use darkroom_core::plan::{Goal, Wish};
use darkroom_models::nn::Mode;
use darkroom_tests::{made_up, studio::Studio};

fn workflow(more: &str) -> String {
    format!(
        r#"(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: "dusk"{more}),
    "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: "a lake at noon"),
    "blank": (type: "empty_latent", width: 64, height: 64),
    "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "blank"), steps: 1),
    "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
}})"#
    )
}

fn wish() -> Wish {
    Wish { goal: Goal::Node("decode".to_owned()), ..Wish::default() }
}

/// What came of a workflow: the picture, how often a node ran, and the bytes that weights and scratch took.
fn run(engine: &Engine, more: &str) -> (Vec<f32>, usize, u64) {
    let report = engine.run(&graph::read(&workflow(more)).unwrap().graph, &wish(), &(), &Cancel::new()).unwrap();
    let ran = report.nodes.iter().filter(|node| node.how == Some(How::Ran) && node.id != "model").count();
    let pictures = report.results[0].1[0].downcast::<Pictures>().unwrap();
    (pictures.iter().flat_map(|picture| picture.samples().to_vec()).collect(), ran, report.peak_bytes)
}

#[test]
fn a_model_may_compute_otherwise_than_all_others() {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path()).with_mode(Mode::Exact);
    made_up::folder(&studio.input.join("dusk"), 1, DType::F16, 1).unwrap();
    let engine = studio.engine();
    let (exact, _, _) = run(&engine, "");
    let (coarse, ran, _) = run(&engine, r#", quality: "int8""#);
    assert!(ran >= 3, "nothing of the first is taken for it");
    assert!(coarse != exact);
    let int8 = Studio::at(home.path()).with_mode(Mode::Int8).engine();
    assert!(run(&int8, "").0 == coarse, "it is what a program makes that computes so throughout");
    let (again, ran, _) = run(&engine, "");
    assert!(again == exact && ran == 0, "the first is still there");
}

#[test]
fn weights_may_live_in_their_file_or_must_fit() {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    made_up::folder(&studio.input.join("dusk"), 2, DType::F16, 1).unwrap();
    let engine = studio.engine();
    let (picture, _, whole) = run(&engine, "");
    assert_eq!(run(&engine, r#", home: "file""#).1, 0, "where weights live changes no pixel, and no name");
    let plan = |more: &str| engine.plan(&graph::read(&workflow(more)).unwrap().graph, &Wish { fresh: true, ..wish() });
    let peak = |more: &str| plan(more).unwrap().peak_bytes;
    let other = tempfile::tempdir().unwrap();
    let streaming = Studio::at(other.path());
    made_up::folder(&streaming.input.join("dusk"), 2, DType::F16, 1).unwrap();
    let (same, ran, streamed) = run(&streaming.engine(), r#", home: "file""#);
    assert!(same == picture && ran >= 3);
    assert!(streamed < whole && streamed <= peak(r#", home: "file""#), "{streamed} of {whole} bytes");
    // With room for less than all of it, it streams of itself, unless it must not.
    let tight = streaming.with_ram(streamed + (whole - streamed) / 2);
    assert!(run(&tight.engine(), r#", quality: "exact""#).1 > 0);
    let must = graph::read(&workflow(r#", quality: "exact", home: "memory""#)).unwrap();
    let faults = tight.engine().run(&must.graph, &Wish { fresh: true, ..wish() }, &(), &Cancel::new()).unwrap_err();
    assert!(faults.to_string().contains("unet of dusk"), "{faults}");
}

#[test]
fn a_device_that_is_not_there_is_told_before_the_run() {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    made_up::folder(&studio.input.join("dusk"), 1, DType::F16, 1).unwrap();
    let engine = studio.engine();
    let told = |device: &str| {
        let graph = graph::read(&workflow(&format!(r#", device: "{device}""#))).unwrap().graph;
        engine.plan(&graph, &wish()).map(drop).map_err(|faults| faults.to_string())
    };
    assert_eq!(told("cpu"), Ok(()));
    let missing = told("cuda:3").unwrap_err();
    assert!(missing.contains("nothing computes on `cuda:3` here, but on `cpu`"), "{missing}");
    assert!(told("gpu").unwrap_err().contains("`gpu` is no device"));
}

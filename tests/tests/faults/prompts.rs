//! Prompts from outside: wildcards, trained words, and what pictures say of their making.

use std::fs;

use darkroom_core::fault::{FaultKind, Faults};
use darkroom_core::graph;
use darkroom_core::observe::How;
use darkroom_core::plan::{Wish, check};
use darkroom_nodes::pictures::parameters::Parameters;
use darkroom_nodes::pictures::picture_file::{Making, making};
use darkroom_tests::studio::Studio;
use tempfile::TempDir;

fn studio() -> (TempDir, Studio) {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    (home, studio)
}

fn write(studio: &Studio, name: &str, text: &str) {
    let path = studio.input.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A picture by the built-in model, of a text that wildcards draw.
fn drawn(template: &str, seed: u64) -> String {
    format!(
        r#"(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: "mini"),
    "dice": (type: "wildcards", text: {template:?}, seed: {seed}),
    "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: (from: "dice"), negative: "snow, ice",
        weighting: "a1111", long: "chunks"),
    "blank": (type: "empty_latent", width: 64, height: 64),
    "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"),
        latent: (from: "blank"), steps: 1, seed: 7, sampler: "dpmpp_2m", schedule: "karras"),
    "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
    "save": (type: "save_image", image: (from: "decode"), name: "drawn", format: "jpeg"),
}})"#
    )
}

fn fault(ended: Result<impl Sized, Faults>) -> (FaultKind, String) {
    let faults = ended.err().expect("a fault");
    (faults.kind(), format!("{faults}; {}", faults.0[0].fault.hint.clone().unwrap_or_default()))
}

fn parameters(studio: &Studio, name: &str) -> Parameters {
    match making(&studio.output.join(name)).unwrap() {
        Making::Parameters(text) => Parameters::parse(&text),
        other => panic!("{name} says {other:?}"),
    }
}

#[test]
fn a_drawn_prompt_is_shown_by_the_plan_and_told_by_the_picture() {
    let (_home, studio) = studio();
    write(&studio, "wildcards/colours.txt", "# colours\nred\n\n{dark|pale} blue\n");
    write(&studio, "wildcards/animals/cats.txt", "a __colours__ cat\n");
    write(&studio, "wildcards/animals/dogs.txt", "a __colours__ dog\n");
    let text = drawn("(__animals/*__:1.2) {by|near} the __sea__", 3);
    write(&studio, "sea.txt", "sea");
    let plan = studio.engine().plan(&graph::read(&text).unwrap().graph, &Wish::default()).unwrap();
    let shown = plan.steps.iter().find(|step| step.id == "dice").unwrap().drawn.clone().unwrap();
    assert!(shown.starts_with("(a ") && shown.ends_with("the sea") && !shown.contains(['_', '{', '|']), "{shown}");
    assert!(darkroom_core::explain::explain(&plan).contains(&format!("dice drew: {shown}")));

    studio.run(&text).unwrap();
    let told = parameters(&studio, "drawn.jpg");
    assert_eq!((told.positive, told.negative.as_deref()), (shown, Some("snow, ice")));
    let settings: Vec<_> = told.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let wanted = [
        "Steps=1",
        "Sampler=DPM++ 2M",
        "Schedule type=karras",
        "CFG scale=5",
        "Seed=7",
        "Size=64x64",
        "RNG=CPU",
        "Model=mini",
    ];
    for wanted in wanted {
        assert!(settings.iter().any(|setting| setting == wanted), "{wanted} is not in {settings:?}");
    }
}

#[test]
fn a_list_that_changes_draws_a_new_picture_and_one_that_does_not_draws_none() {
    let (_home, studio) = studio();
    write(&studio, "wildcards/colours.txt", "red");
    let text = drawn("a __colours__ cat", 1);
    let ran = |text: &str| {
        let report = studio.run(text).unwrap();
        report.nodes.iter().filter(|node| node.how == Some(How::Ran)).map(|node| node.id.clone()).collect::<Vec<_>>()
    };
    assert!(ran(&text).contains(&"denoise".to_owned()));
    assert_eq!(ran(&text), Vec::<String>::new());
    write(&studio, "wildcards/colours.txt", "deep blue");
    assert!(ran(&text).contains(&"denoise".to_owned()));
    assert_eq!(parameters(&studio, "drawn-2.jpg").positive, "a deep blue cat");
    write(&studio, "wildcards/colours.txt", "# another file, the same line\ndeep blue");
    assert_eq!(ran(&text), Vec::<String>::new());
}

#[test]
fn lists_that_cannot_be_drawn_from_are_faults_of_the_graph() {
    let (home, studio) = studio();
    write(&studio, "wildcards/a.txt", "one\nto __b__");
    write(&studio, "wildcards/b.txt", "{x|back to __a__}");
    write(&studio, "wildcards/self/one.txt", "__self/*__");
    write(&studio, "wildcards/empty.txt", "# nothing\n");
    write(&studio, "wildcards/large.txt", &"x".repeat((1 << 20) + 1));
    fs::write(studio.input.join("wildcards/bytes.txt"), [0xff, 0xfe]).unwrap();
    fs::write(home.path().join("secret.txt"), "secret").unwrap();
    let cases = [
        ("__a__", "leads back to itself: __a__ → __b__ → __a__"),
        ("__self/*__", "leads back to itself"),
        ("__none__", "there is no list for `__none__`"),
        ("__none/*__", "no list fits `__none/*__`"),
        ("__empty__", "is empty"),
        ("__large__", "too large"),
        ("__bytes__", "is not UTF-8"),
        ("__../secret__", "there is no list for `__../secret__`"),
        ("a {b|c", "is never closed"),
    ];
    for (template, wanted) in cases {
        let graph = graph::read(&drawn(template, 0)).unwrap().graph;
        let engine = studio.engine();
        let (_, told) = fault(check(&graph, engine.registry(), engine.host()));
        assert!(told.contains(wanted), "{template}: {told:?} does not say {wanted:?}");
    }
    assert!(studio.saved().is_empty());
}

#[test]
fn an_embedding_that_is_a_pickle_is_refused_before_any_work() {
    let (_home, studio) = studio();
    fs::write(studio.input.join("style.pt"), b"PK\x03\x04 and so on").unwrap();
    write(&studio, "wide.safetensors", "");
    let text = |file: &str| {
        format!(
            r#"(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: "mini"),
    "word": (type: "load_embedding", encoder: (from: "model.encoder"), file: "{file}"),
    "prompt": (type: "encode_prompt", encoder: (from: "word"), text: "a style"),
}})"#
        )
    };
    let graph = graph::read(&text("style.pt")).unwrap().graph;
    let engine = studio.engine();
    let (kind, told) = fault(check(&graph, engine.registry(), engine.host()));
    assert!(kind == FaultKind::File && told.contains("pickle") && told.contains(".safetensors"), "{told}");
    let graph = graph::read(&text("wide.safetensors")).unwrap().graph;
    assert_eq!(fault(check(&graph, engine.registry(), engine.host())).0, FaultKind::File);
}

#[test]
fn a_long_prompt_against_a_short_negative_draws_a_picture() {
    let (_home, studio) = studio();
    let long = drawn(&"a lake, ".repeat(60), 0);
    let report = studio.run(&long).unwrap();
    assert!(report.nodes.iter().any(|node| node.id == "denoise" && node.how == Some(How::Ran)));
    assert_eq!(studio.saved(), ["drawn.jpg"]);
    let deep = drawn(&"(".repeat(100), 0);
    let (_, told) = fault(studio.run(&deep));
    assert!(told.contains("brackets within one another"), "{told}");
}

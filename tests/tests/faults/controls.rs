//! Faults around ControlNets, through the real nodes: rows 1, 8, 12, 15 and 22.

use std::path::Path;
use std::sync::Mutex;

use darkroom_core::fault::FaultKind;
use darkroom_core::graph;
use darkroom_core::image::Picture;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_core::plan::check;
use darkroom_nodes::pictures::picture_file::{self, Carried, Format};
use darkroom_tests::reference;
use darkroom_tests::studio::Studio;

const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

/// A studio with the tiny models, their ControlNets and a picture `in.png` of some size.
fn studio(width: u32, height: u32) -> (tempfile::TempDir, Studio) {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    let own = reference::own();
    for (from, to) in [
        ("golden/models/tiny-sdxl-base", "sdxl"),
        ("sd15/model", "old"),
        ("controlnet/edges", "edges"),
        ("controlnet/sd15", "edges15"),
    ] {
        copy(&own.join(from), &studio.input.join(to));
    }
    let grey = Picture::new(width, height, 3, vec![0.5; (width * height * 3) as usize]).unwrap();
    let png = picture_file::encode(&grey, Format::Png, 90, Carried::default()).unwrap();
    std::fs::write(studio.input.join("in.png"), png).unwrap();
    (home, studio)
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

/// A workflow in which `in.png` steers a picture of 64 by 64.
fn steered(net: &str, control: &str, count: u32) -> String {
    format!(
        r#"(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: "sdxl"),
    "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: "a lake"),
    "photo": (type: "load_image", file: "in.png"),
    "net": (type: "load_controlnet", source: "{net}"),
    "control": (type: "control", controlnet: (from: "net"), image: (from: "photo"), {control}),
    "sheet": (type: "empty_latent", width: 64, height: 64, count: {count}),
    "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "sheet"),
        control: (from: "control"), steps: 2),
    "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
    "save": (type: "save_image", image: (from: "decode"), name: "out"),
}})"#
    )
}

/// Refuses it before anything runs.
fn refused(studio: &Studio, workflow: &str, kind: FaultKind) -> String {
    let graph = graph::read(workflow).unwrap().graph;
    let engine = studio.engine();
    let Err(faults) = check(&graph, engine.registry(), engine.host()) else { panic!("it is known before the run") };
    assert_eq!(faults.kind(), kind, "{faults}");
    let hints = faults.0.iter().filter_map(|located| located.fault.hint.as_deref());
    let words = format!("{faults}; {}", hints.collect::<Vec<_>>().join("; "));
    assert!(studio.run(workflow).is_err());
    words
}

/// Gathers what is warned of.
#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Observer for Ear {
    fn see(&self, event: &Event<'_>) {
        if let Event::Warning { text, .. } = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}

fn warnings(studio: &Studio, workflow: &str) -> String {
    let ear = Ear::default();
    studio.run_watched(workflow, &ear, &Cancel::new()).unwrap();
    ear.0.into_inner().unwrap().join("\n")
}

#[test]
fn a_control_of_another_family_is_refused_before_it_runs() {
    let (_home, studio) = studio(64, 64);
    let words = refused(&studio, &steered("edges15", "", 1), FaultKind::Graph);
    assert!(words.contains("is sdxl") && words.contains("is sd15"), "{words}");
    let two = steered("edges", "before: (from: \"other\")", 1).replace(
        r#""sheet":"#,
        r#""net15": (type: "load_controlnet", source: "edges15"),
           "other": (type: "control", controlnet: (from: "net15"), image: (from: "photo")),
           "sheet":"#,
    );
    let words = refused(&studio, &two, FaultKind::Graph);
    assert!(words.contains("`before`"), "{words}");
}

#[test]
fn row_08_what_is_no_control_net_says_so_and_what_is_wanted() {
    let (_home, studio) = studio(64, 64);
    let input = &studio.input;
    let words = refused(&studio, &steered("sdxl", "", 1), FaultKind::File);
    assert!(words.contains("a whole model"), "{words}");
    let words = refused(&studio, &steered("sdxl/unet", "", 1), FaultKind::File);
    assert!(words.contains("`UNet2DConditionModel`") && words.contains("`ControlNetModel`"), "{words}");
    std::fs::copy(input.join("sdxl/unet").join(WEIGHTS), input.join("unet.safetensors")).unwrap();
    let words = refused(&studio, &steered("unet.safetensors", "", 1), FaultKind::File);
    assert!(words.contains("this file holds no controlnet"), "{words}");
    // A tiny one has the widths of no published family.
    std::fs::copy(input.join("edges").join(WEIGHTS), input.join("tiny.safetensors")).unwrap();
    let words = refused(&studio, &steered("tiny.safetensors", "", 1), FaultKind::File);
    assert!(words.contains("no family knows this controlnet"), "{words}");
}

#[test]
fn row_08_a_control_net_in_its_authors_names_is_refused_with_the_way_to_convert_it() {
    let (_home, studio) = studio(64, 64);
    let tensors = vec![("control_model.input_hint_block.0.weight".to_owned(), vec![16, 3, 3, 3])];
    darkroom_tests::single::save_shapes(tensors, &studio.input.join("ldm.safetensors"));
    let words = refused(&studio, &steered("ldm.safetensors", "", 1), FaultKind::File);
    assert!(words.contains("convert_original_controlnet_to_diffusers.py"), "{words}");
}

#[test]
fn row_08_weights_that_the_configuration_does_not_mean_are_told_before_the_run() {
    let (_home, studio) = studio(64, 64);
    let at = studio.input.join("edges/config.json");
    let config = std::fs::read_to_string(&at).unwrap();
    std::fs::write(&at, config.replace("\"layers_per_block\": 2", "\"layers_per_block\": 3")).unwrap();
    let words = refused(&studio, &steered("edges", "", 1), FaultKind::File);
    assert!(words.contains("missing"), "{words}");
    std::fs::write(&at, config.replace("\"layers_per_block\": 2", "\"layers_per_block\": 1")).unwrap();
    let words = refused(&studio, &steered("edges", "", 1), FaultKind::File);
    assert!(words.contains("misshapen") || words.contains("this variant of a controlnet is not built"), "{words}");
    std::fs::write(&at, config.replace("\"rgb\"", "\"cmyk\"")).unwrap();
    let words = refused(&studio, &steered("edges", "", 1), FaultKind::File);
    assert!(words.contains("controlnet_conditioning_channel_order"), "{words}");
}

#[test]
fn row_01_a_control_net_that_was_cut_short_is_refused() {
    let (_home, studio) = studio(64, 64);
    let at = studio.input.join("edges").join(WEIGHTS);
    let bytes = std::fs::read(&at).unwrap();
    for keep in [0, 7, 1000, bytes.len() - 1] {
        std::fs::write(&at, &bytes[..keep]).unwrap();
        refused(&studio, &steered("edges", "", 1), FaultKind::File);
    }
    std::fs::remove_file(&at).unwrap();
    refused(&studio, &steered("edges", "", 1), FaultKind::File);
}

#[test]
fn row_22_as_many_pictures_as_latents_or_one_are_wanted() {
    let (_home, studio) = studio(64, 64);
    // One for all.
    studio.run(&steered("edges", "", 2)).unwrap();
    let drawn = steered("edges", "", 3).replace(r#"image: (from: "photo")"#, r#"image: (from: "twice")"#);
    let twice = drawn.replace(
        r#""sheet":"#,
        r#""pair": (type: "empty_latent", width: 64, height: 64, count: 2),
           "drawn": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "pair"), steps: 1),
           "twice": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "drawn")),
           "sheet":"#,
    );
    let words = refused(&studio, &twice, FaultKind::Graph);
    assert!(words.contains("2 pictures, and 3 are drawn") && words.contains("one for each"), "{words}");
    studio.run(&twice.replace("count: 3", "count: 2")).unwrap();
}

#[test]
fn a_picture_of_another_size_is_brought_to_size_with_a_warning() {
    let (_home, right) = studio(64, 64);
    assert_eq!(warnings(&right, &steered("edges", "", 1)), "");
    let (_home, other) = studio(90, 40);
    let words = warnings(&other, &steered("edges", "", 1));
    assert!(words.contains("90×40") && words.contains("64×64"), "{words}");
}

#[test]
fn a_control_that_never_takes_part_is_told() {
    let (_home, studio) = studio(64, 64);
    let words = refused(&studio, &steered("edges", "start: 0.6, end: 0.6", 1), FaultKind::Graph);
    assert!(words.contains("never steers"), "{words}");
    let words = warnings(&studio, &steered("edges", "start: 0.6, end: 0.7", 1));
    assert!(words.contains("none of 2 steps"), "{words}");
}

#[test]
fn a_control_without_strength_loads_nothing() {
    let (_home, studio) = studio(64, 64);
    let free = steered("edges", "", 1).replace(r#"control: (from: "control"), steps"#, "steps");
    let bytes = |workflow: &str| {
        let before = studio.saved();
        studio.run(workflow).unwrap();
        let new = studio.saved().into_iter().find(|name| !before.contains(name)).unwrap();
        picture_file::read(&studio.output.join(new)).unwrap().to_bytes()
    };
    let without = bytes(&free);
    // Values of no number would show, if they were read.
    let at = studio.input.join("edges").join(WEIGHTS);
    let mut weights = std::fs::read(&at).unwrap();
    let header = 8 + u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    weights[header..].fill(0xff);
    std::fs::write(&at, weights).unwrap();
    assert_eq!(bytes(&steered("edges", "strength: 0.0", 1)), without);
    let faults = studio.run(&steered("edges", "strength: 1.0", 1)).expect_err("these are no numbers");
    assert_eq!(faults.kind(), FaultKind::Numbers, "{faults}");
}

//! Models that come and go in one process: one after the other, torn, replaced on disk.

use std::fs;
use std::path::Path;

use candle_core::{DType, Device, safetensors};
use darkroom_core::engine::{Engine, Report};
use darkroom_core::fault::Faults;
use darkroom_core::graph;
use darkroom_core::image::Pictures;
use darkroom_core::observe::Cancel;
use darkroom_core::plan::{Goal, Wish};
use darkroom_models::Weights;
use darkroom_tests::{made_up, studio::Studio};

fn workflow(model: &str, more: &str, seed: u64) -> String {
    format!(
        r#"(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: "{model}"{more}),
    "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: "a lake at noon"),
    "blank": (type: "empty_latent", width: 64, height: 64),
    "denoise": (type: "denoise", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "blank"), steps: 1, seed: {seed}),
    "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
}})"#
    )
}

fn wish() -> Wish {
    Wish { goal: Goal::Node("decode".to_owned()), ..Wish::default() }
}

fn run(engine: &Engine, workflow: &str) -> Result<Report, Faults> {
    let loaded = graph::read(workflow)?;
    engine.run(&loaded.graph, &wish(), &(), &Cancel::new())
}

fn picture(engine: &Engine, workflow: &str) -> Vec<f32> {
    let report = run(engine, workflow).unwrap();
    let pictures = report.results[0].1[0].downcast::<Pictures>().unwrap();
    pictures.iter().flat_map(|picture| picture.samples().to_vec()).collect()
}

fn sits(engine: &Engine, title: &str) -> bool {
    engine.ledger().sitting().iter().any(|part| part.title.contains(title))
}

/// Fills the data of a weight file with ones, which are not numbers, and gives it back its time.
fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[header..].fill(0xff);
    fs::write(path, bytes).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

/// Takes the tensor that is loaded last out of a model's UNet.
fn tear(folder: &Path) {
    let unet = made_up::unet_file(folder);
    let mut shapes: made_up::Shapes = {
        let whole = Weights::open(&unet).unwrap();
        whole.tensors().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect()
    };
    shapes.remove("conv_out.weight").unwrap();
    made_up::save(&unet, shapes, DType::F16, 3).unwrap();
}

#[test]
fn one_model_makes_room_for_the_next_and_a_torn_one_leaves_it_where_it_is() {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    for (name, seed) in [("dusk", 1), ("dawn", 2), ("torn", 3)] {
        made_up::folder(&studio.input.join(name), 2, DType::F16, seed).unwrap();
    }
    tear(&studio.input.join("torn"));
    // Room for the largest part of one model, and not for two.
    let plan = studio.engine().plan(&graph::read(&workflow("dusk", "", 0)).unwrap().graph, &wish()).unwrap();
    let studio = studio.with_ram(plan.peak_bytes);
    let engine = studio.engine();
    run(&engine, &workflow("dusk", "", 1)).unwrap();
    assert!(sits(&engine, "unet of dusk"));
    run(&engine, &workflow("dawn", "", 2)).unwrap();
    assert!(sits(&engine, "unet of dawn") && !sits(&engine, "unet of dusk"));
    assert!(engine.ledger().peak() <= plan.peak_bytes);
    let faults = run(&engine, &workflow("torn", "", 3)).expect_err("its unet lacks a tensor");
    assert!(faults.to_string().contains("conv_out.weight"), "{faults}");
    assert!(sits(&engine, "unet of dawn"), "{:?}", engine.ledger().sitting());
    // Who would read the file again would notice.
    let want = picture(&studio.engine(), &workflow("dawn", "", 4));
    spoil(&made_up::unet_file(&studio.input.join("dawn")));
    assert_eq!(picture(&engine, &workflow("dawn", "", 4)), want);
}

#[test]
fn a_model_whose_folder_was_replaced_is_opened_anew() {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    let folder = studio.input.join("dusk");
    made_up::folder(&folder, 1, DType::F16, 1).unwrap();
    let engine = studio.engine();
    let before = picture(&engine, &workflow("dusk", "", 1));
    fs::remove_dir_all(&folder).unwrap();
    made_up::folder(&folder, 2, DType::F16, 1).unwrap();
    let after = picture(&engine, &workflow("dusk", "", 1));
    assert_ne!(after, before);
    // Another process, that has seen neither.
    let other = tempfile::tempdir().unwrap();
    let studio = Studio::at(other.path());
    made_up::folder(&studio.input.join("dusk"), 2, DType::F16, 1).unwrap();
    assert_eq!(picture(&studio.engine(), &workflow("dusk", "", 1)), after);
}

#[test]
fn a_part_of_a_model_whose_file_was_replaced_is_opened_anew() {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/weights/vae/diffusion_pytorch_model.safetensors");
    let vae = studio.input.join("vae.safetensors");
    fs::copy(&mini, &vae).unwrap();
    let (engine, with_vae) = (studio.engine(), workflow("mini", ", vae: \"vae.safetensors\"", 1));
    let before = picture(&engine, &with_vae);
    // As a download does it: beside, and then under the name.
    let mut tensors = safetensors::load(&mini, &Device::Cpu).unwrap();
    let bias = tensors.get_mut("decoder.conv_out.bias").unwrap();
    *bias = (bias.to_dtype(DType::F32).unwrap() + 0.25).unwrap().to_dtype(bias.dtype()).unwrap();
    safetensors::save(&tensors, studio.input.join("new")).unwrap();
    fs::rename(studio.input.join("new"), &vae).unwrap();
    let after = picture(&engine, &with_vae);
    let (more, same) = before.iter().zip(&after).fold((0, 0), |(more, same), (before, after)| match after > before {
        true => (more + 1, same),
        false => (more, same + 1),
    });
    assert!(more > same, "{more} samples are brighter, {same} are not");
}

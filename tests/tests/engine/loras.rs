//! LoRAs between real nodes: what runs again, what is loaded again, what is refused before anything runs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use candle_core::{Device, Tensor};
use darkroom_core::engine::{Engine, Report};
use darkroom_core::fault::Faults;
use darkroom_core::graph;
use darkroom_core::image::Pictures;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_core::plan::{Goal, Wish};
use darkroom_tests::reference;
use darkroom_tests::studio::Studio;

/// A studio with the tiny base model as `tiny` and a LoRA for it as `lora.safetensors`.
fn studio() -> (tempfile::TempDir, Studio) {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    copy_folder(&reference::root().join("models/tiny-sdxl-base"), &studio.input.join("tiny"));
    std::fs::copy(a_lora(), studio.input.join("lora.safetensors")).unwrap();
    (home, studio)
}

fn a_lora() -> PathBuf {
    let facts = reference::facts("lora/sdxl");
    let name = facts["files"][0].as_str().unwrap();
    reference::root().join("models/lora").join(format!("{name}.safetensors"))
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
        }
    }
}

/// The tiny model with a LoRA; `lora` takes more fields.
fn workflow(lora: &str) -> String {
    format!(
        r#"(darkroom: 1, nodes: {{
    "model": (type: "load_model", source: "tiny"),
    "lora": (type: "load_lora", denoiser: (from: "model.denoiser"), encoder: (from: "model.encoder"), file: "lora.safetensors", {lora}),
    "prompt": (type: "encode_prompt", encoder: (from: "lora.encoder"), text: "a lake at noon"),
    "blank": (type: "empty_latent", width: 64, height: 64),
    "denoise": (type: "denoise", denoiser: (from: "lora.denoiser"), positive: (from: "prompt"), latent: (from: "blank"), steps: 2),
    "decode": (type: "vae_decode", vae: (from: "model.vae"), latent: (from: "denoise")),
    "save": (type: "save_image", image: (from: "decode"), name: "x"),
}})"#
    )
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn see(&self, event: &Event<'_>) {
        if let Event::Warning { text, .. } = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}

fn run(engine: &Engine, workflow: &str, observer: &dyn Observer) -> Result<Report, Faults> {
    let loaded = graph::read(workflow)?;
    let wish = Wish { goal: Goal::Node("decode".to_owned()), ..Wish::default() };
    engine.run(&loaded.graph, &wish, observer, &Cancel::new())
}

fn picture(engine: &Engine, lora: &str) -> Vec<f32> {
    let report = run(engine, &workflow(lora), &()).unwrap();
    let pictures = report.results[0].1[0].downcast::<Pictures>().unwrap();
    pictures.iter().flat_map(|picture| picture.samples().to_vec()).collect()
}

#[test]
fn another_strength_is_another_picture_of_weights_read_once() {
    let (_elsewhere, untouched) = studio();
    let (half, text_alone) = ("strength: 0.5", "strength: 0, strength_text: 1");
    let want = [half, text_alone].map(|lora| picture(&untouched.engine(), lora));
    let (_home, studio) = studio();
    let engine = studio.engine();
    let whole = picture(&engine, "");
    // From here on the files hold nothing that could be read, and look as if nobody had touched them.
    for part in ["unet/diffusion_pytorch_model", "text_encoder/model", "text_encoder_2/model"] {
        spoil(&studio.input.join("tiny").join(format!("{part}.safetensors")));
    }
    assert_eq!([half, text_alone].map(|lora| picture(&engine, lora)), want);
    assert!(whole != want[0] && want[0] != want[1]);
    assert!(run(&studio.engine(), &workflow("strength: 0.7"), &()).is_err(), "who reads them notices");
}

/// Fills the data of a weight file with ones, which are not numbers, and gives it back its time.
fn spoil(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let modified = std::fs::metadata(path).unwrap().modified().unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[header..].fill(0xff);
    // Written in place, so that what is mapped already changes too.
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn blocks_and_chains_change_the_picture_and_zero_does_not() {
    let (_home, studio) = studio();
    let engine = studio.engine();
    let plain = workflow("").replace("lora.denoiser", "model.denoiser").replace("lora.encoder", "model.encoder");
    let report = run(&engine, &plain, &()).unwrap();
    let pictures = report.results[0].1[0].downcast::<Pictures>().unwrap();
    let plain: Vec<f32> = pictures.iter().flat_map(|picture| picture.samples().to_vec()).collect();
    assert_eq!(picture(&engine, "strength: 0"), plain);
    assert_eq!(picture(&engine, "strength_text: 0, blocks: \"in=0, mid=0, out=0\""), plain);
    assert_ne!(picture(&engine, "blocks: \"in=0\""), plain);
    let text = workflow("strength: 0.5").replace(
        "\"prompt\":",
        "\"more\": (type: \"load_lora\", denoiser: (from: \"lora.denoiser\"), encoder: (from: \"lora.encoder\"), \
         file: \"lora.safetensors\", strength: -0.5),\n \"prompt\":",
    );
    let undone = text.replace("from: \"lora.encoder\"), text", "from: \"more.encoder\"), text");
    let undone = undone.replace("from: \"lora.denoiser\"), positive", "from: \"more.denoiser\"), positive");
    let report = run(&engine, &undone, &()).unwrap();
    let pictures = report.results[0].1[0].downcast::<Pictures>().unwrap();
    let samples = pictures.iter().flat_map(|picture| picture.samples());
    let gap = samples.zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(gap < 2e-4, "one LoRA there and back: {gap}");
}

#[test]
fn what_has_no_place_is_told_and_a_wrong_block_is_refused() {
    let (_home, studio) = studio();
    let path = studio.input.join("lora.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    tensors.insert("unet.no.such.layer.lora_A.weight".into(), small(2, 4));
    tensors.insert("unet.no.such.layer.lora_B.weight".into(), small(4, 2));
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let heard = Heard::default();
    run(&studio.engine(), &workflow(""), &heard).unwrap();
    let heard = heard.0.into_inner().unwrap();
    let told = heard.iter().find(|text| text.contains("no layer of this model")).unwrap();
    assert!(told.starts_with("2 tensors") && told.contains("`unet.no.such.layer.lora_A.weight`"), "{told}");
    let faults = run(&studio.engine(), &workflow("blocks: \"in.77=1\""), &()).unwrap_err().to_string();
    assert!(faults.contains("this denoiser has no block `in.77`"), "{faults}");
}

#[test]
fn the_built_in_model_takes_its_lora_whole() {
    let (_home, studio) = studio();
    let graphs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs");
    copy_folder(&graphs.join("loras"), &studio.input.join("loras"));
    let text = std::fs::read_to_string(graphs.join("cyanotype.ron")).unwrap();
    let (loaded, engine, heard) = (graph::read(&text).unwrap(), studio.engine(), Heard::default());
    engine.plan(&loaded.graph, &Wish::default()).unwrap();
    let wish = Wish { goal: Goal::Node("style".to_owned()), ..Wish::default() };
    engine.run(&loaded.graph, &wish, &heard, &Cancel::new()).unwrap();
    assert_eq!(heard.0.into_inner().unwrap(), [""; 0], "every tensor has its place");
}

#[test]
fn a_lora_of_another_family_is_refused_before_anything_runs() {
    let (_home, studio) = studio();
    let layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k";
    let tensors = HashMap::from([
        (format!("{layer}.lora_down.weight"), small(2, 768)),
        (format!("{layer}.lora_up.weight"), small(640, 2)),
    ]);
    candle_core::safetensors::save(&tensors, studio.input.join("lora.safetensors")).unwrap();
    let engine = studio.engine();
    let loaded = graph::read(&workflow("")).unwrap();
    let faults = engine.plan(&loaded.graph, &Wish::default()).err().unwrap().to_string();
    assert!(faults.contains("this LoRA was made for sd15, and the denoiser is sdxl"), "{faults}");
    let blocks = graph::read(&workflow("blocks: \"up=1\"")).unwrap();
    let faults = engine.plan(&blocks.graph, &Wish::default()).err().unwrap().to_string();
    assert!(faults.contains("`up` is no block"), "{faults}");
}

fn small(rows: usize, columns: usize) -> Tensor {
    Tensor::zeros((rows, columns), candle_core::DType::F32, &Device::Cpu).unwrap()
}

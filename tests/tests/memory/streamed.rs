//! Networks whose weights are read at each use give the bits of those whose weights stay: every precision, every share
//! that stays, with and without a LoRA, in every mode, by kernels and by candle's operations.

use candle_core::{DType, Device, Tensor, quantized::GgmlDType};
use darkroom_models::{
    Weights,
    checkpoint::{Blueprint, Checkpoint},
    folder::{Component, ModelFolder},
    lora::{BlockStrengths, Lora, Names, Patches},
    nn::{Card, Compute, FeatureMap, Keep, Mode, Tokens},
    sdxl::{
        TextEncoder, UNet, Vae,
        config::UNetConfig,
        unet::{Added, Question},
    },
    weights::Options,
};
use darkroom_tests::{
    reference::{self, values},
    single,
};

/// The tiny model in files of other precisions.
fn checkpoints(folder: &std::path::Path) -> Vec<(String, Checkpoint)> {
    let root = reference::root().join("models/tiny-sdxl-base");
    let blueprint = Blueprint::of_folder(&ModelFolder::open(&root).unwrap()).unwrap();
    let tensors = single::tensors(&root, "sd_xl_base_1.0");
    let wide = tensors.iter().map(|(name, x)| (name.clone(), x.to_dtype(DType::F32).unwrap())).collect();
    let mut files = Vec::new();
    for (name, tensors) in [("f16", &tensors), ("f32", &wide), ("fp8", &single::scaled_fp8(&tensors))] {
        let path = folder.join(format!("{name}.safetensors"));
        single::save(tensors, &path);
        files.push((name.to_owned(), path));
    }
    let path = folder.join("q8_0.gguf");
    assert!(single::save_gguf(&tensors, GgmlDType::Q8_0, &path) > 10);
    files.push(("q8_0".to_owned(), path));
    let open = |(name, path): (String, std::path::PathBuf)| {
        (name, Checkpoint::open_as(&[&path], blueprint.clone(), Options::default()).unwrap())
    };
    files.into_iter().map(open).collect()
}

/// The processor in every mode, and what a card does in all of its numbers.
fn computes() -> Vec<Compute> {
    let card = Compute::card(Card::processor_in_bf16(), Mode::Fast);
    Mode::ALL.into_iter().map(Compute::new).chain([Compute::composed(), card]).collect()
}

fn waves(shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>();
    Tensor::from_vec((0..count).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>(), shape, &Device::Cpu).unwrap()
}

fn ask(config: &UNetConfig, w: &Weights) -> Vec<f32> {
    let unet = UNet::load(config, w, Keep::All).unwrap();
    let shape = config.addition.unwrap();
    let sample = FeatureMap::from_tensor(&waves(&[2, config.in_channels, 8, 8])).unwrap();
    let context = Tokens::from_tensor(&waves(&[2, 7, config.cross_attention_dim])).unwrap();
    let pooled = Tokens::from_vectors(&waves(&[2, shape.input_dim - 6 * shape.time_dim])).unwrap();
    let added = Added { pooled, time_ids: vec![vec![64.0; 6]; 2] };
    let question = Question { sample: &sample, timestep: 500.0, context: &context, added: Some(&added) };
    values(&unet.forward(question, &mut ()).unwrap().to_tensor().unwrap()).into_iter().map(|x| x as f32).collect()
}

/// A LoRA of the reference over the denoiser.
fn patches(w: &Weights) -> Patches {
    let facts = reference::facts("lora/sdxl");
    let name = facts["files"][0].as_str().unwrap().to_owned();
    let lora = Lora::open(&reference::root().join("models/lora").join(format!("{name}.safetensors"))).unwrap();
    let mut names = Names::default();
    names.add_unet(w);
    let (mut patches, blocks) = (Patches::default(), "".parse::<BlockStrengths>().unwrap());
    lora.fit(&names).unwrap().patch(&mut patches, &lora.load().unwrap(), Component::UNet, (0.6, &blocks));
    patches
}

#[test]
fn every_precision_in_every_place_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for (name, checkpoint) in checkpoints(folder.path()) {
        for compute in computes() {
            let place = compute.numerics();
            let w = checkpoint.weights(Component::UNet, Options::default()).unwrap().with_compute(compute);
            let config = &checkpoint.configs().unet;
            let (all, least) = (w.loaded_bytes(), w.least_bytes());
            assert!(least < all, "{name}");
            let whole = ask(config, &w);
            for bytes in [least, (least + all) / 2] {
                assert!(ask(config, &w.clone().staying_within(bytes)) == whole, "{name}, {place}, {bytes} bytes stay");
            }
            // Over a base that stays and over one that does not, the changed layers stay, or do in part, or do not.
            let worn = |w: &Weights| w.clone().with_vault().with_patches(patches(w));
            let dressed = ask(config, &worn(&w));
            assert!(dressed != whole, "{name}, {place}: the LoRA changes something");
            for base in [all, least] {
                let w = worn(&w.clone().staying_within(base));
                let changed = w.changed_bytes();
                assert!(changed > 0);
                for bytes in [changed, changed / 2, 0] {
                    let got = ask(config, &w.clone().changes_within(bytes));
                    assert!(got == dressed, "{name}, {place}, with a LoRA, {base} and {bytes} bytes stay");
                }
            }
        }
    }
}

#[test]
fn the_other_parts_give_the_same_bits_too() {
    let folder = tempfile::tempdir().unwrap();
    for (name, checkpoint) in checkpoints(folder.path()) {
        for compute in [Compute::new(Mode::usual()), Compute::card(Card::processor_in_bf16(), Mode::Fast)] {
            other_parts(&name, &checkpoint, &compute);
        }
    }
}

fn other_parts(name: &str, checkpoint: &Checkpoint, compute: &Compute) {
    let weights = |component| checkpoint.weights(component, Options::default()).unwrap().with_compute(compute.clone());
    let configs = checkpoint.configs();
    let w = weights(Component::Vae);
    let latents = FeatureMap::from_tensor(&waves(&[1, configs.vae.latent_channels, 6, 5])).unwrap();
    let draw = |w: &Weights| {
        let picture = Vae::load(&configs.vae, w, Keep::All).unwrap().decode(&latents, &mut ()).unwrap();
        values(&picture.to_tensor().unwrap())
    };
    assert!(draw(&w) == draw(&w.clone().staying_within(0)), "vae {name}");
    let w = weights(Component::TextEncoder2);
    let config = configs.text_encoder_2.as_ref().unwrap();
    let read = |w: &Weights| {
        let encoder = TextEncoder::load(config, w, Keep::All).unwrap();
        values(&encoder.encode(&[vec![1, 2, 3, 4]], &mut ()).unwrap().pooled.to_tensor().unwrap())
    };
    assert!(read(&w) == read(&w.clone().staying_within(0)), "text encoder {name}");
}

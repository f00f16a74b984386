//! What is counted without computing is what the work takes, to the byte.

use candle_core::{DType, Device, Tensor};
use darkroom_models::{
    Weights,
    nn::{Compute, FeatureMap, Keep, Mode, Tokens},
    sdxl::{
        TextEncoder, UNet, Vae,
        config::{TextEncoderConfig, UNetConfig, VaeConfig},
        room::Latents,
        unet::{Added, Question},
    },
};
use darkroom_tests::{archive, reference};

const SIZES: [Latents; 2] = [Latents { batch: 1, height: 8, width: 12 }, Latents { batch: 2, height: 24, width: 16 }];

fn folder(part: &str) -> std::path::PathBuf {
    reference::root().join("models/tiny-sdxl-base").join(part)
}

/// The weights of a part, computing with a memory of their own.
fn weights(part: &str, mode: Mode) -> Weights {
    Weights::open(&folder(part)).unwrap().with_compute(Compute::new(mode))
}

fn zeros<S: Into<candle_core::Shape>>(shape: S) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

/// The most that was had of the system.
fn held(w: &Weights) -> u64 {
    w.compute().figures().held_bytes as u64
}

fn added(config: &UNetConfig, batch: usize) -> Added {
    let shape = config.addition.unwrap();
    let pooled = shape.input_dim - 6 * shape.time_dim;
    Added { pooled: Tokens::from_vectors(&zeros((batch, pooled))).unwrap(), time_ids: vec![vec![0.0; 6]; batch] }
}

#[test]
fn a_denoiser_takes_what_was_counted() {
    let config = UNetConfig::read(&folder("unet").join("config.json")).unwrap();
    for (mode, of) in Mode::ALL.into_iter().flat_map(|mode| SIZES.map(|of| (mode, of))) {
        let w = weights("unet", mode);
        let counted = UNet::room(&config, &w, of).unwrap();
        assert_eq!(held(&w), 0, "counting takes nothing");
        let unet = UNet::load(&config, &w, Keep::All).unwrap();
        let sample = FeatureMap::from_tensor(&zeros((of.batch, config.in_channels, of.height, of.width))).unwrap();
        let context = zeros((of.batch, 77, config.cross_attention_dim));
        let context = Tokens::from_tensor(&context).unwrap().remembering();
        let added = added(&config, of.batch);
        // From the second walk on nothing more is asked for.
        for walk in 1..4 {
            let question = Question { sample: &sample, timestep: 1.0, context: &context, added: Some(&added) };
            unet.forward(question, &mut ()).unwrap();
            assert!(
                held(&w) == counted || walk < 2 && held(&w) < counted,
                "{mode} {of:?} {walk}: {} {counted}",
                held(&w)
            );
        }
    }
}

#[test]
fn an_autoencoder_takes_what_was_counted() {
    let config = VaeConfig::read(&folder("vae").join("config.json")).unwrap();
    for (mode, of) in Mode::ALL.into_iter().flat_map(|mode| SIZES.map(|of| (mode, of))) {
        let (w, other) = (weights("vae", mode), weights("vae", mode));
        let latents = FeatureMap::from_tensor(&zeros((of.batch, config.latent_channels, of.height, of.width))).unwrap();
        Vae::load(&config, &w, Keep::All).unwrap().decode(&latents, &mut ()).unwrap();
        assert_eq!(held(&w), Vae::decoding_room(&config, &w, of).unwrap(), "{mode} {of:?}");
        let factor = config.reduction();
        let pixels = zeros((of.batch, config.in_channels, factor * of.height, factor * of.width));
        let pixels = FeatureMap::from_tensor(&pixels).unwrap();
        Vae::load(&config, &other, Keep::All).unwrap().encode(&pixels, &mut ()).unwrap();
        assert_eq!(held(&other), Vae::encoding_room(&config, &w, of).unwrap(), "{mode} {of:?}");
    }
}

#[test]
fn a_text_encoder_takes_what_was_counted() {
    for (mode, part) in
        Mode::ALL.into_iter().flat_map(|mode| ["text_encoder", "text_encoder_2"].map(|part| (mode, part)))
    {
        let config = TextEncoderConfig::read(&folder(part).join("config.json")).unwrap();
        let w = weights(part, mode);
        let rows = vec![vec![0; 77.min(config.positions)]; 2];
        TextEncoder::load(&config, &w, Keep::All).unwrap().encode(&rows, &mut ()).unwrap();
        assert_eq!(held(&w), TextEncoder::room(&config, &w, 2).unwrap(), "{mode} {part}");
    }
}

#[test]
fn the_real_network_is_counted_at_any_size_and_takes_more_the_larger_the_picture() {
    let config = UNetConfig::read(&archive::published().join("sdxl-base-1.0/unet.json")).unwrap();
    let w = Weights::dry("sdxl", archive::manifest("sdxl-base-unet"));
    let w = w.with_compute(Compute::new(Mode::usual()));
    let room = |edge: usize| UNet::room(&config, &w, Latents { batch: 2, height: edge, width: edge }).unwrap();
    let rooms = [64, 128, 256, 1024].map(room);
    assert!(rooms.is_sorted() && rooms[0] > 100 << 20 && rooms[1] < 2 << 30, "{rooms:?}");
    assert_eq!(rooms[3], 16 * rooms[2]);
}

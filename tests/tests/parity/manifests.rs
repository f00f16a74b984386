//! Every tensor of the real models is asked for once, with its shape, and nothing is allocated.

use darkroom_models::{
    Weights,
    nn::Keep,
    sdxl::{
        TextEncoder, UNet, Vae,
        config::{TextEncoderConfig, UNetConfig, VaeConfig},
    },
};
use darkroom_tests::archive;

#[test]
fn manifests_open_as_weights_without_memory() {
    // Parameter totals as published.
    let totals = [
        ("sdxl-base-unet", 2_567_463_684),
        ("sdxl-inpaint-unet", 2_567_478_084),
        ("sdxl-refiner-unet", 2_259_526_660),
        ("sdxl-text-encoder-clip-l", 123_060_480),
        ("sdxl-text-encoder-2-openclip-bigg", 694_659_840),
        ("sdxl-vae", 83_653_863),
        ("sd15-unet", 859_520_964),
        ("sd15-vae", 83_653_863),
        ("sd15-text-encoder-clip-l", 123_060_480),
    ];
    for (name, parameters) in totals {
        let weights = archive::dry(name);
        assert_eq!(weights.bytes() / 4, parameters, "{name}");
        for (tensor, shape) in archive::manifest(name) {
            let found = weights.get(&tensor, shape.clone()).unwrap();
            assert_eq!(found.dims(), shape);
        }
        let report = weights.finish().unwrap();
        assert!(report.unexpected.is_empty() && report.consumed.values().all(|n| *n == 1), "{name}");
    }
}

fn config(name: &str) -> std::path::PathBuf {
    archive::published().join(name)
}

/// Builds a network and looks at what it asked for.
fn each_once(manifest: &str, build: impl FnOnce(&Weights)) {
    let weights = archive::dry(manifest);
    build(&weights);
    let report = weights.finish().unwrap();
    assert_eq!(report.unexpected, Vec::<String>::new(), "{manifest}");
    let twice: Vec<_> = report.consumed.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "{manifest}: {twice:?}");
    assert_eq!(report.consumed.len(), archive::manifest(manifest).len());
}

#[test]
fn every_unet_takes_each_tensor_of_its_file_once() {
    for (manifest, file) in [
        ("sdxl-base-unet", "sdxl-base-1.0/unet.json"),
        ("sdxl-refiner-unet", "sdxl-refiner-1.0/unet.json"),
        ("sdxl-inpaint-unet", "sdxl-inpaint-0.1/unet.json"),
        ("sd15-unet", "sd-v1-5/unet.json"),
    ] {
        let config = UNetConfig::read(&config(file)).unwrap();
        for keep in [Keep::All, Keep::One] {
            each_once(manifest, |w| {
                UNet::load(&config, w, keep).unwrap();
            });
        }
    }
}

#[test]
fn every_text_encoder_takes_each_tensor_of_its_file_once() {
    for (manifest, file) in [
        ("sdxl-text-encoder-clip-l", "sdxl-base-1.0/text_encoder.json"),
        ("sdxl-text-encoder-2-openclip-bigg", "sdxl-base-1.0/text_encoder_2.json"),
        ("sdxl-text-encoder-2-openclip-bigg", "sdxl-refiner-1.0/text_encoder_2.json"),
        ("sd15-text-encoder-clip-l", "sd-v1-5/text_encoder.json"),
    ] {
        let config = TextEncoderConfig::read(&config(file)).unwrap();
        each_once(manifest, |w| {
            TextEncoder::load(&config, w, Keep::All).unwrap();
        });
    }
}

#[test]
fn every_autoencoder_takes_each_tensor_of_its_file_once() {
    for (manifest, file) in [
        ("sdxl-vae", "sdxl-base-1.0/vae.json"),
        ("sdxl-vae", "sdxl-refiner-1.0/vae.json"),
        ("sd15-vae", "sd-v1-5/vae.json"),
    ] {
        let config = VaeConfig::read(&config(file)).unwrap();
        each_once(manifest, |w| {
            Vae::load(&config, w, Keep::All).unwrap();
        });
    }
}

#[test]
fn a_file_of_another_model_is_refused_with_every_tensor_named() {
    let config = UNetConfig::read(&config("sdxl-base-1.0/unet.json")).unwrap();
    for keep in [Keep::All, Keep::One] {
        let fault = UNet::load(&config, &archive::dry("sdxl-refiner-unet"), keep).unwrap_err();
        let fault = fault.to_string();
        assert!(fault.contains("missing") && fault.contains("misshapen"), "{fault}");
    }
}

//! The published configurations, and the families that folders of them are recognised as.

use std::{
    fs,
    path::{Path, PathBuf},
};

use darkroom_models::{
    folder::{Component, Family, ModelFolder},
    sdxl::config::{Activation, ModelIndex, TextEncoderConfig, TextTime, Transformer, UNetConfig, VaeConfig},
    tokenizer::Clip,
};
use darkroom_tests::{archive, reference};

fn published(name: &str) -> PathBuf {
    archive::published().join(name)
}

#[test]
fn every_published_configuration_is_read() {
    let mut read = 0;
    for model in fs::read_dir(published("")).unwrap() {
        for file in fs::read_dir(model.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let told = match path.file_stem().unwrap().to_str().unwrap() {
                "model_index" => ModelIndex::read(&path).map(drop),
                "unet" => UNetConfig::read(&path).map(drop),
                "vae" => VaeConfig::read(&path).map(drop),
                "text_encoder" | "text_encoder_2" => TextEncoderConfig::read(&path).map(drop),
                _ => continue,
            };
            told.unwrap();
            read += 1;
        }
    }
    assert!(read >= 15, "only {read} configurations were found");
}

#[test]
fn the_networks_are_what_the_configurations_mean() {
    let base = UNetConfig::read(&published("sdxl-base-1.0/unet.json")).unwrap();
    let level =
        |unet: &UNetConfig, i: usize| (unet.levels[i].channels, unet.levels[i].layers, unet.levels[i].transformer);
    assert_eq!(level(&base, 0), (320, 2, None));
    assert_eq!(level(&base, 1), (640, 2, Some(Transformer { heads: 10, depth: 2 })));
    assert_eq!(level(&base, 2), (1280, 2, Some(Transformer { heads: 20, depth: 10 })));
    assert_eq!(base.mid, Transformer { heads: 20, depth: 10 });
    assert_eq!(base.addition, Some(TextTime { time_dim: 256, input_dim: 2816 }));
    assert_eq!((base.time_embed_dim(), base.linear_projection), (1280, true));

    let refiner = UNetConfig::read(&published("sdxl-refiner-1.0/unet.json")).unwrap();
    assert_eq!(refiner.mid, Transformer { heads: 24, depth: 4 });
    assert_eq!(refiner.levels[3].transformer, None);
    assert_eq!(refiner.addition.unwrap().ids(1280), Some(5));

    let old = UNetConfig::read(&published("sd-v1-5/unet.json")).unwrap();
    assert_eq!(level(&old, 0), (320, 2, Some(Transformer { heads: 8, depth: 1 })));
    assert_eq!((old.mid, old.linear_projection, old.addition), (Transformer { heads: 8, depth: 1 }, false, None));

    let vae = VaeConfig::read(&published("sd-v1-5/vae.json")).unwrap();
    assert_eq!((vae.scaling_factor, vae.reduction(), vae.quant_conv), (0.18215, 8, true));
    let text = TextEncoderConfig::read(&published("sdxl-base-1.0/text_encoder_2.json")).unwrap();
    assert_eq!((text.activation, text.projection_dim), (Activation::Gelu, Some(1280)));
    let text = TextEncoderConfig::read(&published("sdxl-base-1.0/text_encoder.json")).unwrap();
    assert_eq!((text.activation, text.projection_dim), (Activation::QuickGelu, None));
}

/// Lays a folder out from published configurations, with weight files that hold nothing.
fn folder_of(model: &str, fallback: &str, tokenizer: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let find = |names: &[String]| {
        let mut paths =
            [model, fallback].into_iter().flat_map(|at| names.iter().map(move |name| published(at).join(name)));
        paths.find(|path| path.exists())
    };
    let index = find(&["model_index.json".into()]).unwrap();
    fs::copy(&index, dir.path().join("model_index.json")).unwrap();
    for (name, class) in ModelIndex::read(&index).unwrap().components {
        let at = dir.path().join(&name);
        fs::create_dir(&at).unwrap();
        if class == "CLIPTokenizer" {
            for file in fs::read_dir(tokenizer).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), at.join(file.file_name())).unwrap();
            }
        } else if let Some(config) = find(&[format!("{name}.json"), format!("{name}_2.json")]) {
            let to = if name == "scheduler" { "scheduler_config.json" } else { "config.json" };
            fs::copy(config, at.join(to)).unwrap();
            fs::write(at.join("model.safetensors"), b"\x02\0\0\0\0\0\0\0{}").unwrap();
        }
    }
    dir
}

#[test]
fn published_folders_are_recognised() {
    let tokenizer = reference::root().join("models/tiny-sdxl-base/tokenizer_2");
    let cases = [
        ("sdxl-base-1.0", Family::Sdxl),
        ("sdxl-refiner-1.0", Family::SdxlRefiner),
        ("sdxl-inpaint-0.1", Family::SdxlInpaint),
        ("sd-v1-5", Family::Sd15),
    ];
    for (model, family) in cases {
        let dir = folder_of(model, "sdxl-base-1.0", &tokenizer);
        let folder = ModelFolder::open(dir.path()).unwrap();
        assert_eq!(folder.family(), family, "{model}");
        assert_eq!(folder.component(Component::TextEncoder2).is_some(), family != Family::Sd15);
        let first = !matches!(family, Family::SdxlRefiner);
        assert_eq!(folder.component(Component::TextEncoder).is_some(), first, "{model}");
    }
}

#[test]
fn the_reference_folders_are_recognised_and_named() {
    let models = reference::root().join("models");
    let base = ModelFolder::open(&models.join("tiny-sdxl-base")).unwrap();
    assert_eq!(base.family(), Family::Sdxl);
    assert_eq!(ModelFolder::open(&models.join("tiny-sdxl-refiner")).unwrap().family(), Family::SdxlRefiner);
    assert_eq!(base.tokenizer(Component::Tokenizer2).unwrap().pad(), 0);
    assert_ne!(base.tokenizer(Component::Tokenizer).unwrap().pad(), 0);
    let unet = base.weights(Component::UNet, Default::default()).unwrap();
    assert!(unet.contains("conv_in.weight"));

    let names: Vec<&str> = base.files().iter().map(|file| file.name.as_str()).collect();
    assert!(names.is_sorted() && names.contains(&"unet/diffusion_pytorch_model.safetensors"), "{names:?}");
    let mut ticks = Vec::new();
    let mut hear = |done, of| {
        ticks.push((done, of));
        Ok(())
    };
    let digest = base.digest(&mut hear).unwrap();
    let total: u64 = base.files().iter().map(|file| file.bytes).sum();
    assert_eq!(ticks.last(), Some(&(total as usize, total as usize)));
    assert_eq!(digest, base.digest(&mut ()).unwrap());
    assert_ne!(digest, base.provisional_digest().unwrap());
    let stopped = base.digest(&mut |_, _| Err(darkroom_models::Error::Stopped));
    assert!(matches!(stopped, Err(darkroom_models::Error::Stopped)));
}

#[test]
fn a_changed_byte_changes_the_name() {
    let dir = tempfile::tempdir().unwrap();
    copy(&reference::root().join("models/tiny-sdxl-base"), dir.path());
    let name = || ModelFolder::open(dir.path()).unwrap().digest(&mut ()).unwrap();
    let (before, again) = (name(), name());
    assert_eq!(before, again);
    let path = dir.path().join("vae/diffusion_pytorch_model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_ne!(before, name());

    // A reference set may hold the inpainting UNet alone; the rest is the base's.
    copy(&reference::root().join("models/tiny-sdxl-inpaint9"), dir.path());
    assert_eq!(ModelFolder::open(dir.path()).unwrap().family(), Family::SdxlInpaint);
    Clip::open(&dir.path().join("tokenizer")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        match item.file_type().unwrap().is_dir() {
            true => copy(&item.path(), &to),
            false => drop(fs::copy(item.path(), to).unwrap()),
        }
    }
}

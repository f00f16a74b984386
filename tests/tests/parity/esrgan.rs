//! Upscalers held against spandrel's, under all names that their files have, whole and in tiles.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use candle_core::{Device, Tensor};
use darkroom_models::{
    Error, Weights,
    esrgan::{Layout, Tiling, Upscaler},
    nn::FeatureMap,
};
use darkroom_tests::{
    archive,
    reference::{self, assert_close, max_abs},
};

use super::NETWORK;

fn folder() -> PathBuf {
    reference::root().join("models/esrgan")
}

fn upscaler(name: &str) -> Upscaler {
    Upscaler::load(&Weights::open(&folder().join(format!("{name}.safetensors"))).unwrap()).unwrap()
}

/// A picture with edges and gradients.
fn picture(height: usize, width: usize) -> FeatureMap {
    let value = |i: usize| {
        let (channel, y, x) = (i / (height * width), i / width % height, i % width);
        let wave = (0.11 * x as f32 + 0.07 * (y * (channel + 1)) as f32).sin();
        0.5 + 0.3 * wave + if (x / 9 + y / 7) % 2 == 0 { 0.15 } else { -0.15 }
    };
    let values: Vec<f32> = (0..3 * height * width).map(value).collect();
    FeatureMap::from_tensor(&Tensor::from_vec(values, (1, 3, height, width), &Device::Cpu).unwrap()).unwrap()
}

#[test]
fn published_upscalers_take_each_tensor_of_their_file_once() {
    for (name, scale, blocks) in [
        ("esrgan-old-4x", 4, 23),
        ("realesrgan-x2plus", 2, 23),
        ("realesrgan-x4plus", 4, 23),
        ("realesrgan-x4plus-anime-6b", 4, 6),
    ] {
        let weights = archive::dry(name);
        let upscaler = Upscaler::load(&weights).unwrap();
        let layout = upscaler.layout();
        assert_eq!((layout.scale, layout.blocks, layout.features, layout.growth), (scale, blocks, 64, 32), "{name}");
        let report = weights.finish().unwrap();
        assert_eq!(report.consumed.len(), archive::manifest(name).len(), "{name}");
        assert!(report.unexpected.is_empty() && report.consumed.values().all(|n| *n == 1), "{name}");
    }
}

#[test]
fn pictures_of_even_and_odd_size_are_those_of_the_reference() {
    let want = reference::tensors("esrgan/esrgan");
    let inputs: Vec<&str> = want.names().filter_map(|name| name.strip_suffix(".in")).collect();
    assert!(inputs.len() >= 3, "{inputs:?}");
    for case in inputs {
        let upscaler = upscaler(case.split('.').next().unwrap());
        let x = FeatureMap::from_tensor(want.get(&format!("{case}.in"))).unwrap();
        let large = upscaler.upscale(&x, &mut ()).unwrap().to_tensor().unwrap();
        assert_close(case, &large, want.get(&format!("{case}.out")), NETWORK);
    }
}

/// The tensors of a file under other names.
fn renamed(name: &str, rename: impl Fn(&str) -> String) -> Weights {
    let tensors = candle_core::safetensors::load(folder().join(format!("{name}.safetensors")), &Device::Cpu).unwrap();
    let renamed: HashMap<String, Tensor> = tensors.into_iter().map(|(name, x)| (rename(&name), x)).collect();
    let file = tempfile::Builder::new().suffix(".safetensors").tempfile().unwrap();
    candle_core::safetensors::save(&renamed, file.path()).unwrap();
    Weights::from_bytes("renamed", std::fs::read(file.path()).unwrap()).unwrap()
}

fn trunk(name: &str) -> String {
    let pairs = [
        ("conv_up", "upconv"),
        ("conv_hr", "HRconv"),
        ("conv_body", "trunk_conv"),
        ("body.", "RRDB_trunk."),
        ("rdb", "RDB"),
    ];
    pairs.iter().fold(name.to_owned(), |name, (new, old)| name.replace(new, old))
}

#[test]
fn other_names_and_a_trainers_dictionary_give_the_same_picture() {
    let x = picture(9, 12);
    let make =
        |w: &Weights| reference::values(&Upscaler::load(w).unwrap().upscale(&x, &mut ()).unwrap().to_tensor().unwrap());
    let plain = make(&renamed("x4plus", str::to_owned));
    assert_eq!(plain, make(&renamed("x4plus", trunk)));
    assert_eq!(plain, make(&renamed("x4plus", |name| format!("params_ema.{name}"))));
}

#[test]
fn one_pixel_becomes_a_picture() {
    for (name, scale) in [("x4plus", 4), ("x2plus", 2), ("old_x4", 4)] {
        let upscaler = upscaler(name);
        assert_eq!(upscaler.layout().scale, scale);
        let dims = upscaler.upscale(&picture(1, 1), &mut ()).unwrap().dims();
        assert_eq!((dims.height, dims.width), (scale, scale), "{name}");
    }
}

#[test]
fn tiles_with_a_wide_overlap_are_the_whole_picture() {
    for name in ["x4plus", "x2plus", "old_x4"] {
        let upscaler = upscaler(name);
        let reach = upscaler.layout().reach();
        let x = picture(2 * reach + 55, 6 * reach + 21);
        let whole = upscaler.upscale(&x, &mut ()).unwrap().to_tensor().unwrap();
        let off = |edge, overlap| {
            let tiled = upscaler.upscale_tiled(&x, Tiling { edge, overlap }, &mut ()).unwrap();
            max_abs(&tiled.to_tensor().unwrap(), &whole)
        };
        let wide = off(5 * reach, 4 * reach);
        assert!(wide < 1e-5, "{name}: {wide}");
        let usual = off(64, 32);
        assert!(usual < 1e-3, "{name}: {usual}");
        let none = off(64, 0);
        assert!(none > usual, "{name}: without an overlap there are seams, {none} {usual}");
    }
}

#[test]
fn tiles_tick_to_the_end_and_stop_in_between() {
    let upscaler = upscaler("x2plus");
    let (x, tiling) = (picture(40, 70), Tiling { edge: 32, overlap: 8 });
    let mut seen = Vec::new();
    upscaler
        .upscale_tiled(&x, tiling, &mut |done, of| {
            seen.push((done, of));
            Ok(())
        })
        .unwrap();
    let all = seen.len();
    assert!(all > 6 && seen.iter().enumerate().all(|(i, seen)| *seen == (i + 1, all)), "{seen:?}");
    let stop = upscaler.upscale_tiled(&x, tiling, &mut |done, of| match done {
        done if 2 * done > of => Err(Error::Stopped),
        _ => Ok(()),
    });
    assert!(matches!(stop.unwrap_err(), Error::Stopped));
}

#[test]
fn row_12_the_same_upscalers_as_pickles_are_refused() {
    for name in ["old_x4.pth", "x4plus.pth"] {
        let fault = Weights::open(&folder().join(name)).unwrap_err();
        assert!(fault.to_string().contains("pickle"), "{fault}");
        assert!(fault.hint().unwrap().contains("docs/convert-pickles.md"), "{name}");
    }
}

/// Names and shapes of tensors.
type Shapes = BTreeMap<String, Vec<usize>>;

#[test]
fn other_networks_are_refused_with_what_they_lack() {
    let says = |w: &Weights, wanted: &str| {
        let fault = Upscaler::load(w).unwrap_err().to_string();
        assert!(fault.contains(wanted), "{fault:?} does not say {wanted:?}");
    };
    says(&archive::dry("sdxl-vae"), "not the tensors of an upscaler");
    let dry = |change: &dyn Fn(&mut Shapes)| {
        let mut tensors = archive::manifest("realesrgan-x4plus-anime-6b");
        change(&mut tensors);
        Weights::dry("changed", tensors)
    };
    says(&dry(&|tensors| drop(tensors.remove("body.2.rdb3.conv4.bias"))), "missing `body.2.rdb3.conv4.bias`");
    says(
        &dry(&|tensors| drop(tensors.insert("body.0.rdb1.conv1x1.weight".into(), vec![32, 64, 1, 1]))),
        "`body.0.rdb1.conv1x1.weight`",
    );
    says(&dry(&|tensors| drop(tensors.insert("conv_first.weight".into(), vec![64, 5, 3, 3]))), "reads 5 channels");
    says(&dry(&|tensors| drop(tensors.insert("conv_first.weight".into(), vec![1 << 40, 3, 3, 3]))), "at most 1024");
    says(&dry(&|tensors| drop(tensors.insert("conv_first.weight".into(), vec![64]))), "has no channels");
    let layout =
        Layout::read(&dry(&|tensors| drop(tensors.insert("conv_first.weight".into(), vec![64, 48, 3, 3])))).unwrap();
    assert_eq!((layout.scale, layout.shuffle), (1, 4));
}

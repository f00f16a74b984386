//! The autoencoder: both halves whole and in tiles, and candle-transformers' decoder as a second opinion.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::stable_diffusion::vae as theirs;
use darkroom_models::{
    Error, Weights,
    nn::{FeatureMap, Keep},
    sdxl::{Vae, config::VaeConfig, vae::Tiling},
};
use darkroom_tests::reference::{self, Tensors, assert_close};

use super::NETWORK;

fn folder() -> std::path::PathBuf {
    reference::root().join("models/tiny-sdxl-base/vae")
}

fn vae(keep: Keep) -> Vae {
    let config = VaeConfig::read(&folder().join("config.json")).unwrap();
    Vae::load(&config, &Weights::open(&folder()).unwrap(), keep).unwrap()
}

/// A latent of the reference, which is unscaled there, as the rest of darkroom has it.
fn latent(vae: &Vae, raw: &Tensor) -> FeatureMap {
    let map = FeatureMap::from_tensor(raw).unwrap();
    map.affine(vae.config().scaling_factor, 0.0).unwrap()
}

fn map(want: &Tensors, name: &str) -> FeatureMap {
    FeatureMap::from_tensor(want.get(name)).unwrap()
}

#[test]
fn pictures_and_latents_give_the_reference() {
    let want = reference::tensors("sdxl/vae");
    let facts = reference::facts("sdxl/vae");
    let vae = vae(Keep::All);
    let cases = facts["cases"].as_array().unwrap().len();
    assert!(cases > 0);
    for i in 0..cases {
        let name = |what: &str| format!("c{i}.{what}");
        let moments = vae.encode(&map(&want, &name("image")), &mut ()).unwrap();
        assert_close(&name("mean"), &moments.raw_mean, want.get(&name("mean")), NETWORK);
        assert_close(&name("logvar"), &moments.raw_logvar, want.get(&name("logvar")), NETWORK);
        let z = latent(&vae, want.get(&name("z")));
        let decoded = vae.decode(&z, &mut ()).unwrap().to_tensor().unwrap();
        assert_close(&name("decoded"), &decoded, want.get(&name("decoded")), NETWORK);
    }
}

#[test]
fn a_sample_is_the_mean_and_the_noise_times_the_spread_scaled() {
    let want = reference::tensors("sdxl/vae");
    let vae = vae(Keep::All);
    let moments = vae.encode(&map(&want, "c0.image"), &mut ()).unwrap();
    let noise = map(&want, "c0.z");
    let spread = (want.get("c0.logvar") * 0.5).unwrap().exp().unwrap();
    let raw = (want.get("c0.mean") + (spread * noise.to_tensor().unwrap()).unwrap()).unwrap();
    let scaled = (raw * vae.config().scaling_factor).unwrap();
    let sample = moments.sample(&noise).unwrap().to_tensor().unwrap();
    assert_close("sample", &sample, &scaled, NETWORK);
    let scaled = (want.get("c0.mean") * vae.config().scaling_factor).unwrap();
    assert_close("mean", &moments.mean().unwrap().to_tensor().unwrap(), &scaled, NETWORK);
}

#[test]
fn tiles_give_the_reference() {
    let want = reference::tensors("sdxl/vae");
    let facts = reference::facts("sdxl/vae");
    let tiled = &facts["tiled"];
    let tiling = Tiling {
        latent_edge: tiled["tile_latent_min_size"].as_u64().unwrap() as usize,
        overlap: tiled["tile_overlap_factor"].as_f64().unwrap(),
    };
    let vae = vae(Keep::All);
    let edge = tiled["tile_sample_min_size"].as_u64().unwrap() as usize;
    assert_eq!(edge, tiling.latent_edge * vae.config().reduction());
    let z = latent(&vae, want.get("tiled.z"));
    let decoded = vae.decode_tiled(&z, tiling, &mut ()).unwrap().to_tensor().unwrap();
    assert_close("tiled.decoded", &decoded, want.get("tiled.decoded"), NETWORK);
    let image = map(&want, "tiled.image");
    let moments = vae.encode_tiled(&image, tiling, &mut ()).unwrap();
    let channels = vae.config().latent_channels;
    let both = want.get("tiled.moments");
    let mean = both.narrow(1, 0, channels).unwrap();
    let logvar = both.narrow(1, channels, channels).unwrap();
    assert_close("tiled mean", &moments.raw_mean, &mean, NETWORK);
    let held = logvar.clamp(-30f32, 20f32).unwrap();
    assert_close("tiled logvar", &moments.raw_logvar, &held, NETWORK);
}

#[test]
fn one_tile_that_holds_everything_is_the_whole() {
    let want = reference::tensors("sdxl/vae");
    let vae = vae(Keep::All);
    let z = latent(&vae, want.get("c0.z"));
    let dims = z.dims();
    // With no overlap there is one tile of the size of the latent.
    let tiling = Tiling { latent_edge: dims.height.max(dims.width), overlap: 0.0 };
    let tiled = vae.decode_tiled(&z, tiling, &mut ()).unwrap().to_tensor().unwrap();
    let whole = vae.decode(&z, &mut ()).unwrap().to_tensor().unwrap();
    assert_eq!(reference::values(&tiled), reference::values(&whole));
}

#[test]
fn streamed_blocks_change_no_bit_of_a_picture() {
    let want = reference::tensors("sdxl/vae");
    let (kept, streamed) = (vae(Keep::All), vae(Keep::One));
    let decode = |vae: &Vae| {
        let z = latent(vae, want.get("c0.z"));
        reference::values(&vae.decode(&z, &mut ()).unwrap().to_tensor().unwrap())
    };
    assert_eq!(decode(&kept), decode(&streamed));
    let encode = |vae: &Vae| {
        let moments = vae.encode(&map(&want, "c0.image"), &mut ()).unwrap();
        reference::values(&moments.raw_mean)
    };
    assert_eq!(encode(&kept), encode(&streamed));
}

#[test]
fn decoding_stops_when_it_is_asked_to_also_between_tiles() {
    let want = reference::tensors("sdxl/vae");
    let vae = vae(Keep::All);
    let z = latent(&vae, want.get("tiled.z"));
    let stop_at_2 = |done: usize, _: usize| match done {
        2 => Err(Error::Stopped),
        _ => Ok(()),
    };
    let whole = vae.decode(&z, &mut { stop_at_2 }).unwrap_err();
    assert!(matches!(whole, Error::Stopped));
    let tiled = vae.decode_tiled(&z, Tiling::of(4), &mut { stop_at_2 });
    assert!(matches!(tiled.unwrap_err(), Error::Stopped));
}

#[test]
fn files_with_the_names_of_before_2023_give_the_same_picture() {
    let path = folder().join("diffusion_pytorch_model.safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let old = |name: String| {
        [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]
            .iter()
            .fold(name, |name, (new, old)| name.replace(&format!(".{new}."), &format!(".{old}.")))
    };
    let renamed: HashMap<String, Tensor> = tensors.into_iter().map(|(name, x)| (old(name), x)).collect();
    assert!(renamed.keys().any(|name| name.contains(".proj_attn.")));
    let file = tempfile::Builder::new().suffix(".safetensors").tempfile().unwrap();
    candle_core::safetensors::save(&renamed, file.path()).unwrap();
    let new = vae(Keep::All);
    let old = Vae::load(new.config(), &Weights::open(file.path()).unwrap(), Keep::All).unwrap();
    let z = latent(&new, reference::tensors("sdxl/vae").get("c0.z"));
    let decode = |vae: &Vae| reference::values(&vae.decode(&z, &mut ()).unwrap().to_tensor().unwrap());
    assert_eq!(decode(&new), decode(&old));
}

#[test]
fn the_decoder_agrees_with_candle_transformers() {
    let want = reference::tensors("sdxl/vae");
    let vae = vae(Keep::All);
    let config = vae.config();
    let path = folder().join("diffusion_pytorch_model.safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let tensors = tensors.into_iter().map(|(name, x)| (name, x.to_dtype(DType::F32).unwrap()));
    let weights = VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu);
    let shape = theirs::AutoEncoderKLConfig {
        block_out_channels: config.channels.clone(),
        layers_per_block: config.layers,
        latent_channels: config.latent_channels,
        norm_num_groups: config.norm_groups,
        use_quant_conv: config.quant_conv,
        use_post_quant_conv: config.post_quant_conv,
    };
    let oracle = theirs::AutoEncoderKL::new(weights, config.in_channels, config.out_channels, shape).unwrap();
    let raw = want.get("c0.z");
    let ours = vae.decode(&latent(&vae, raw), &mut ()).unwrap().to_tensor().unwrap();
    assert_close("decoded", &ours, &oracle.decode(raw).unwrap(), NETWORK);
}

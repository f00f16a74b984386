//! Models in one file: every tensor goes where the manifests say, and pictures are those of the folder.

use std::{collections::BTreeMap, path::Path};

use candle_core::{Device, Tensor, quantized::GgmlDType};
use darkroom_core::{graph, plan::Wish};
use darkroom_models::{
    Weights,
    checkpoint::{Blueprint, Checkpoint, Role, describe, layout},
    folder::{Component, Configs, Family, ModelFolder},
    nn::{FeatureMap, Keep, Tokens},
    prompt::Words,
    sampling::SchedulerConfig,
    sdxl::{
        TextEncoder, UNet, Vae,
        conditioning::{Ending, Prompt, Request, Size, Sizes, Tower, encode_prompt},
        published,
        unet::{Added, Question},
    },
    weights::Options,
};
use darkroom_tests::{
    archive,
    reference::{self, max_abs},
    single,
    studio::{Studio, landscape},
};

const PUBLISHED: [(&str, Family); 3] =
    [("sd_xl_base_1.0", Family::Sdxl), ("sd_xl_refiner_1.0", Family::SdxlRefiner), ("v1-5-pruned", Family::Sd15)];

/// Names of new tensors, their shapes, and how each was made: component, key, source and op, in the manifest's words.
type Map = BTreeMap<(String, String), (String, String)>;

fn wanted(name: &str) -> Map {
    let targets = |(source, entry): (String, serde_json::Value)| {
        let word = |to: &serde_json::Value, field: &str| to[field].as_str().unwrap().to_owned();
        let to = entry["to"].as_array().unwrap().clone();
        to.into_iter().map(move |to| ((word(&to, "component"), word(&to, "key")), (source.clone(), word(&to, "op"))))
    };
    archive::single_file(name).into_iter().flat_map(targets).collect()
}

fn header(name: &str) -> Weights {
    let shape = |entry: &serde_json::Value| serde_json::from_value(entry["shape"].clone()).unwrap();
    Weights::dry(name, archive::single_file(name).iter().map(|(name, entry)| (name.clone(), shape(entry))))
}

/// What our rules make of a header.
fn made(weights: &Weights, configs: &Configs) -> Map {
    let mut places = layout::networks(weights);
    places.extend(layout::text_encoders(weights, configs));
    let mut made = Map::new();
    for (component, place) in places {
        for (key, origin) in layout::origins(weights, component, place, configs).unwrap() {
            let op = origin.op.to_string();
            let source = format!("{}{}", place.prefix, origin.name);
            assert!(made.insert((component.to_string(), key), (source, op)).is_none());
        }
    }
    made
}

#[test]
fn every_tensor_of_the_single_files_goes_where_the_manifest_says() {
    for (name, family) in PUBLISHED {
        let configs = published::configs(family).unwrap();
        let (made, wanted) = (made(&header(name), &configs), wanted(name));
        let differs = wanted.iter().find(|(key, from)| made.get(*key) != Some(from));
        assert_eq!(differs.map(|(key, from)| (key, from, made.get(key))), None, "{name}");
        assert_eq!(made.len(), wanted.len(), "{name}");
    }
}

#[test]
fn networks_take_every_tensor_of_the_single_files_once() {
    for (name, family) in PUBLISHED {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        single::save_sparse(name, &path);
        let checkpoint = Checkpoint::open(&path, Options::default()).unwrap();
        assert_eq!(checkpoint.family(), family);
        assert_eq!(checkpoint.unused(), [""; 0], "{name}");
        let configs = checkpoint.configs();
        let hollow = |component| checkpoint.weights(component, Options::default()).unwrap().hollow();
        let once = |component: Component, w: &Weights| {
            let report = w.finish().unwrap();
            assert_eq!(report.unexpected, [""; 0], "{name} {component}");
            assert!(report.consumed.values().all(|times| *times == 1), "{name} {component}");
        };
        let w = hollow(Component::UNet);
        UNet::load(&configs.unet, &w, Keep::All).unwrap();
        once(Component::UNet, &w);
        let w = hollow(Component::Vae);
        Vae::load(&configs.vae, &w, Keep::All).unwrap();
        once(Component::Vae, &w);
        let texts = [
            (Component::TextEncoder, Component::Tokenizer, &configs.text_encoder),
            (Component::TextEncoder2, Component::Tokenizer2, &configs.text_encoder_2),
        ];
        for (component, tokenizer, config) in texts {
            assert_eq!(checkpoint.has(component), config.is_some(), "{name} {component}");
            let Some(config) = config else { continue };
            let w = hollow(component);
            TextEncoder::load(config, &w, Keep::All).unwrap();
            once(component, &w);
            let clip = checkpoint.tokenizer(tokenizer).unwrap();
            assert_eq!(clip.vocab_size(), config.vocab_size);
            assert_eq!(clip.pad() == clip.eos(), tokenizer == Component::Tokenizer);
        }
        assert!(checkpoint.scheduler().prediction_type.as_deref() != Some("v_prediction"));
    }
}

#[test]
fn a_header_of_nine_channels_is_an_inpainting_model() {
    for (name, family) in [("sd_xl_base_1.0", Family::SdxlInpaint), ("v1-5-pruned", Family::Sd15Inpaint)] {
        let (dir, changed) = (tempfile::tempdir().unwrap(), "model.diffusion_model.input_blocks.0.0.weight");
        let path = dir.path().join("model.safetensors");
        let tensors = archive::single_file(name).into_iter().filter(|(name, _)| !name.ends_with("position_ids"));
        let shapes = tensors.map(|(tensor, entry)| {
            let shape: Vec<usize> = serde_json::from_value(entry["shape"].clone()).unwrap();
            let shape = if tensor == changed { vec![shape[0], 9, 3, 3] } else { shape };
            (tensor, shape)
        });
        let shapes: Vec<_> = shapes.chain([("v_pred".to_owned(), vec![0]), ("ztsnr".to_owned(), vec![0])]).collect();
        single::save_shapes(shapes, &path);
        let checkpoint = Checkpoint::open(&path, Options::default()).unwrap();
        assert_eq!((checkpoint.family(), checkpoint.configs().unet.in_channels), (family, 9));
        let w = checkpoint.weights(Component::UNet, Options::default()).unwrap().hollow();
        UNet::load(&checkpoint.configs().unet, &w, Keep::All).unwrap();
        assert_eq!(checkpoint.unused(), [""; 0]);
        // The file says how it was trained.
        assert_eq!(checkpoint.scheduler().prediction_type.as_deref(), Some("v_prediction"));
        assert_eq!(checkpoint.scheduler().rescale_betas_zero_snr, Some(true));
    }
}

#[test]
fn parts_of_a_model_in_files_of_their_own_are_put_together() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let save = |manifest: &str, name: &str, prefix: &str| {
        let shapes =
            archive::manifest(manifest).into_iter().map(|(tensor, shape)| (format!("{prefix}{tensor}"), shape));
        single::save_shapes(shapes.collect(), &at(name));
    };
    save("sdxl-base-unet", "unet.safetensors", "");
    save("sdxl-vae", "vae.safetensors", "");
    save("sdxl-text-encoder-clip-l", "clip_l.safetensors", "");
    save("sdxl-text-encoder-2-openclip-bigg", "clip_g.safetensors", "");

    let alone = Checkpoint::open(&at("unet.safetensors"), Options::default()).unwrap();
    assert_eq!(alone.family(), Family::Sdxl);
    let told = alone.weights(Component::Vae, Options::default()).unwrap_err();
    assert!(told.to_string().starts_with("this file of SDXL holds no `vae`"), "{told}");

    let files = ["vae", "clip_l", "clip_g"].map(|name| at(&format!("{name}.safetensors")));
    let components = [Component::Vae, Component::TextEncoder, Component::TextEncoder2];
    let parts: Vec<(Component, &Path)> = components.into_iter().zip(files.iter().map(|path| &**path)).collect();
    let told = alone.with_parts(&[(Component::Vae, &*files[1])], Options::default()).unwrap_err();
    assert!(told.to_string().contains("holds no `vae`"), "{told}");
    let alone = Checkpoint::open(&at("unet.safetensors"), Options::default()).unwrap();
    let whole = alone.with_parts(&parts, Options::default()).unwrap();
    assert_eq!(whole.files().len(), 4);
    let w = |component| whole.weights(component, Options::default()).unwrap().hollow();
    let configs = whole.configs();
    UNet::load(&configs.unet, &w(Component::UNet), Keep::All).unwrap();
    Vae::load(&configs.vae, &w(Component::Vae), Keep::All).unwrap();
    let text = |component, config: &Option<_>| TextEncoder::load(config.as_ref().unwrap(), &w(component), Keep::All);
    text(Component::TextEncoder, &configs.text_encoder).unwrap();
    text(Component::TextEncoder2, &configs.text_encoder_2).unwrap();
    assert_eq!(whole.unused(), [""; 0]);

    let told = Checkpoint::open(&at("vae.safetensors"), Options::default()).unwrap_err();
    assert!(told.to_string().starts_with("this file holds a vae and no unet"), "{told}");
    assert!(told.hint().is_some());
}

#[test]
fn a_file_that_no_family_claims_says_why_of_each() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small.safetensors");
    let unet = reference::root().join("models/tiny-sdxl-base/unet/diffusion_pytorch_model.safetensors");
    std::fs::copy(unet, &path).unwrap();
    let told = Checkpoint::open(&path, Options::default()).unwrap_err();
    let words = told.to_string();
    for family in ["SDXL: its unet begins with 320", "SDXL refiner: ", "SDXL inpaint: its unet reads 9", "SD 1.5: "] {
        assert!(words.contains(family), "{words}");
    }
    assert!(told.hint().unwrap().contains("SD 1.5 are built"));
    single::save_shapes(vec![("a.b".into(), vec![1])], &path);
    let told = Checkpoint::open(&path, Options::default()).unwrap_err();
    assert!(told.to_string().starts_with("these are weights of no known model"), "{told}");
}

#[test]
fn an_autoencoder_with_the_names_of_2022_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let model = reference::root().join("models/tiny-sdxl-base");
    copy(&model, dir.path());
    let path = dir.path().join("vae/diffusion_pytorch_model.safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let old = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")];
    let renamed = tensors.into_iter().map(|(name, x)| {
        let rule = old.iter().find(|(new, _)| name.contains(&format!(".attentions.0.{new}.")));
        (rule.map_or(name.clone(), |(new, old)| name.replace(new, old)), x)
    });
    let renamed: BTreeMap<String, Tensor> = renamed.collect();
    assert!(renamed.contains_key("decoder.mid_block.attentions.0.query.weight"));
    single::save(&renamed, &path);
    let picture = |root: &Path| {
        let folder = ModelFolder::open(root).unwrap();
        let vae = folder.weights(Component::Vae, Options::default()).unwrap();
        let vae = Vae::load(&folder.configs().vae, &vae, Keep::All).unwrap();
        vae.decode(&FeatureMap::from_tensor(&noise((1, 4, 4, 4))).unwrap(), &mut ()).unwrap().to_tensor().unwrap()
    };
    assert_eq!(max_abs(&picture(dir.path()), &picture(&model)), 0.0);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap().flatten() {
        let to = to.join(item.file_name());
        match item.path().is_dir() {
            true => copy(&item.path(), &to),
            false => drop(std::fs::copy(item.path(), to).unwrap()),
        }
    }
}

/// Numbers between -2 and 2 that are the same every time.
fn noise(shape: (usize, usize, usize, usize)) -> Tensor {
    let count = shape.0 * shape.1 * shape.2 * shape.3;
    let values: Vec<f32> = (0..count).map(|i| ((i * 7919 % 1009) as f32 / 252.0) - 2.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Draws a picture in a few steps, in the plainest way there is.
fn draw(checkpoint: &Checkpoint) -> Tensor {
    let weights = |component| checkpoint.weights(component, Options::default()).unwrap();
    let configs = checkpoint.configs();
    let text = |component, config: &Option<_>| {
        TextEncoder::load(config.as_ref().unwrap(), &weights(component), Keep::All).unwrap()
    };
    let encoders =
        [text(Component::TextEncoder, &configs.text_encoder), text(Component::TextEncoder2, &configs.text_encoder_2)];
    let tokenizers = [Component::Tokenizer, Component::Tokenizer2].map(|one| checkpoint.tokenizer(one).unwrap());
    let words = Words::default();
    let towers: Vec<_> = tokenizers
        .iter()
        .zip(&encoders)
        .map(|(tokenizer, encoder)| Tower { tokenizer, encoder, words: &words })
        .collect();
    let positive = [Prompt { text: "a lake at noon", second: None }];
    let request = Request { positive: &positive, force_zeros: true, ..Request::default() };
    let (prompt, _) = encode_prompt(&towers, request, &mut ()).unwrap();
    let size = Size { height: 64, width: 64 };
    let sizes = Sizes { original: size, crop_top: 0, crop_left: 0, ending: Ending::Target(size) };
    let pooled: Tokens = prompt.pooled.clone().unwrap();
    let added = Added { pooled, time_ids: vec![sizes.time_ids()] };

    let unet = UNet::load(&configs.unet, &weights(Component::UNet), Keep::All).unwrap();
    let mut x = (noise((1, 4, 8, 8)) * 14.6).unwrap();
    for (timestep, sigma, next) in [(999.0, 14.6_f64, 4.0), (700.0, 4.0, 1.0), (300.0, 1.0, 0.0)] {
        let sample = FeatureMap::from_tensor(&(&x / (sigma * sigma + 1.0).sqrt()).unwrap()).unwrap();
        let ask = Question { sample: &sample, timestep, context: &prompt.context, added: Some(&added) };
        let noise = unet.forward(ask, &mut ()).unwrap().to_tensor().unwrap();
        x = (x + (noise * (next - sigma)).unwrap()).unwrap();
    }
    let vae = Vae::load(&configs.vae, &weights(Component::Vae), Keep::All).unwrap();
    let picture = vae.decode(&FeatureMap::from_tensor(&x).unwrap(), &mut ()).unwrap().to_tensor().unwrap();
    picture.affine(0.5, 0.5).unwrap().clamp(0.0, 1.0).unwrap()
}

/// Peak signal to noise, in decibels, of pictures in [0, 1].
fn psnr(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (reference::values(a), reference::values(b));
    let square = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len() as f64;
    -10.0 * square.log10()
}

#[test]
fn a_model_in_one_file_draws_the_picture_of_its_folder() {
    let root = reference::root().join("models/tiny-sdxl-base");
    let wanted = draw(&Checkpoint::open(&root, Options::default()).unwrap());
    assert!(reference::std_dev(&wanted) > 0.05, "the picture shows something");
    let dir = tempfile::tempdir().unwrap();
    let blueprint = Blueprint::of_folder(&ModelFolder::open(&root).unwrap()).unwrap();
    let open = |path: &Path| {
        let checkpoint = Checkpoint::open_as(&[path], blueprint.clone(), Options::default()).unwrap();
        assert_eq!(checkpoint.unused(), [""; 0]);
        checkpoint
    };
    let tensors = single::tensors(&root, "sd_xl_base_1.0");
    let path = dir.path().join("f16.safetensors");
    single::save(&tensors, &path);
    assert_eq!(max_abs(&draw(&open(&path)), &wanted), 0.0, "the same halves, the same picture");

    // Eight bits have three or four of fraction where halves have ten: what is left is the picture with a little noise.
    let path = dir.path().join("fp8.safetensors");
    single::save(&single::scaled_fp8(&tensors), &path);
    let small = open(&path);
    let formats = small.weights(Component::UNet, Options::default()).unwrap().formats();
    assert!(formats.iter().any(|(format, count)| format == "F8_E4M3" && *count > 50), "{formats:?}");
    let got = psnr(&draw(&small), &wanted);
    assert!((20.0..90.0).contains(&got), "fp8: {got:.1} dB");

    for (kind, least) in [(GgmlDType::Q8_0, 30.0), (GgmlDType::Q5_0, 20.0), (GgmlDType::Q4_1, 15.0)] {
        let path = dir.path().join(format!("{kind:?}.gguf"));
        assert!(single::save_gguf(&tensors, kind, &path) > 10, "{kind:?}");
        let got = psnr(&draw(&open(&path)), &wanted);
        assert!((least..120.0).contains(&got), "{kind:?}: {got:.1} dB");
    }
}

#[test]
fn tensors_of_a_gguf_file_are_candles() {
    use GgmlDType::{F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, Q8K};
    let dir = tempfile::tempdir().unwrap();
    let x = noise((3, 5, 16, 256)).reshape((240, 256)).unwrap();
    for kind in [F32, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K, Q8K] {
        let path = dir.path().join("x.gguf");
        let tensors = BTreeMap::from([("net.x".to_owned(), x.clone())]);
        assert_eq!(single::save_gguf(&tensors, kind, &path), 1);
        let theirs = candle_core::quantized::QTensor::quantize(&x, kind).unwrap().dequantize(&Device::Cpu).unwrap();
        for options in [Options { mmap: true }, Options { mmap: false }] {
            let w = Weights::open_with(&path, options).unwrap().at("net");
            assert_eq!(max_abs(&w.get("x", (240, 256)).unwrap(), &theirs), 0.0, "{kind:?}");
            let packed = w.packed("x", (240, 256)).unwrap();
            assert_eq!(packed.is_some(), kind != F32, "{kind:?}");
            if let Some(packed) = packed {
                assert_eq!(max_abs(&packed.widened().unwrap(), &theirs), 0.0, "{kind:?}");
                assert_eq!(w.loaded_bytes(), packed.bytes() as u64);
            }
        }
    }
}

#[test]
fn schedules_of_single_files_are_the_published_ones() {
    for (name, family) in [("sdxl-base-1.0", Family::Sdxl), ("sd-v1-5", Family::Sd15)] {
        let text = std::fs::read_to_string(archive::published().join(name).join("scheduler.json")).unwrap();
        assert_eq!(published::scheduler(family).unwrap(), SchedulerConfig::from_json(&text).unwrap());
    }
}

#[test]
fn a_model_of_full_size_is_planned_from_its_header() {
    let dir = tempfile::tempdir().unwrap();
    let studio = Studio::at(dir.path());
    let path = studio.input.join("sd_xl_base_1.0.safetensors");
    single::save_sparse("sd_xl_base_1.0", &path);
    let workflow = landscape(1024, "", "").replace("\"mini\"", "\"sd_xl_base_1.0.safetensors\"");
    let graph = graph::read(&workflow).unwrap().graph;
    let engine = studio.engine();
    let plan = || engine.foresee(&graph, &Wish::default()).unwrap();
    let (first, again) = (plan(), plan());
    let step = |id: &str| first.steps.iter().position(|step| step.id == id).unwrap();
    let (model, denoise) = (&first.steps[step("model")], &first.steps[step("denoise")]);
    assert_eq!(model.types[0].family.as_deref(), Some("sdxl"));
    // The file has 16 bits a number, and so they are kept; what grows is packed once more, for twice the size.
    let numbers = 2_567_463_684;
    assert!((2 * numbers..2 * numbers + numbers / 10).contains(&denoise.cost.weights), "{:?}", denoise.cost);
    assert_eq!(denoise.recipe, again.steps[step("denoise")].recipe, "a name holds while the file is the same");
    // Another time of change is another name, though not a byte differs.
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_ne!(plan().steps[step("denoise")].recipe, denoise.recipe);
}

#[test]
fn a_file_that_is_no_model_is_a_fault_of_the_node_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let studio = Studio::at(dir.path());
    std::fs::write(studio.input.join("model.safetensors"), [0; 7]).unwrap();
    let workflow = landscape(64, "", "").replace("\"mini\"", "\"model.safetensors\"");
    let told = studio.run(&workflow).unwrap_err();
    assert!(told.0[0].to_string().contains("this file has 7"), "{told:?}");
}

#[test]
fn what_a_file_is_good_for_shows_in_its_header() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let whole = |name: &str| {
        single::save_sparse(name, &path);
        describe(&path).unwrap()
    };
    for (name, family) in PUBLISHED {
        let told = whole(name);
        assert_eq!((told.role, told.family, told.precision.as_deref()), (Role::Checkpoint, Some(family), Some("F16")));
        assert_eq!(told.kin, Some(family.to_string()));
        assert_eq!(told.bytes, std::fs::metadata(&path).unwrap().len());
    }
    let of = |tensors: Vec<(String, Vec<usize>)>| {
        single::save_shapes(tensors, &path);
        let told = describe(&path).unwrap();
        (told.role, told.family)
    };
    let manifest = |name: &str| of(archive::manifest(name).into_iter().collect());
    assert_eq!(manifest("sdxl-base-unet"), (Role::UNet, Some(Family::Sdxl)));
    assert_eq!(manifest("sd15-inpaint-unet"), (Role::UNet, Some(Family::Sd15Inpaint)));
    assert_eq!(manifest("sdxl-vae"), (Role::Vae, None));
    assert_eq!(manifest("sdxl-text-encoder-clip-l"), (Role::TextEncoder, None));
    let with = |names: &[&str]| of(names.iter().map(|name| ((*name).to_owned(), vec![1])).collect()).0;
    let down = "down_blocks.0.resnets.0.time_emb_proj.weight";
    assert_eq!(with(&["controlnet_cond_embedding.conv_in.weight", down, "conv_in.weight"]), Role::ControlNet);
    assert_eq!(with(&["lora_unet_input_blocks_1_0.lora_down.weight", "lora_unet_input_blocks_1_0.alpha"]), Role::Lora);
    assert_eq!(with(&["unet.down_blocks.1.attentions.0.proj_in.lora_A.weight"]), Role::Lora);
    assert_eq!(with(&["conv_first.weight", "body.0.rdb1.conv1.weight"]), Role::Upscaler);
    assert_eq!(with(&["clip_l", "clip_g"]), Role::Embedding);
    assert_eq!(with(&["a.b"]), Role::Unknown);
    let kin = |name: &str| {
        single::save_shapes(archive::manifest(name).into_iter().collect(), &path);
        describe(&path).unwrap().kin
    };
    assert_eq!(kin("sdxl-vae").as_deref(), Some("SD 1.5 or SDXL"));
    assert_eq!(kin("sdxl-text-encoder-clip-l").as_deref(), Some("CLIP-L"));
    std::fs::write(&path, b"PK\x03\x04\0\0\0\0archive/data.pkl").unwrap();
    assert!(describe(&path).unwrap_err().to_string().contains("pickle"));
}

//! ControlNet: hints, residuals and steered answers, the published networks' names and shapes, and whole pictures. The
//! tiny networks and their numbers are made by `tests/reference/make_controlnet.py`.

use std::path::{Path, PathBuf};

use candle_core::DType;
use darkroom_models::{
    Weights,
    checkpoint::{Role, describe},
    folder::Family,
    nn::{FeatureMap, Keep, Tokens},
    sdxl::{
        ControlNet, UNet,
        config::{ControlNetConfig, UNetConfig},
        controlnet::File,
        unet::{Added, Question, Residuals},
    },
    weights::Options,
};
use darkroom_tests::{
    archive,
    reference::{self, Tensors, assert_close, values},
    single,
};
use serde_json::Value;

use super::NETWORK;

fn folder() -> PathBuf {
    reference::own().join("controlnet")
}

fn control(name: &str, keep: Keep) -> ControlNet {
    File::open(&folder().join(name), Options::default()).unwrap().load_within(u64::MAX, keep).unwrap()
}

/// The models whose UNets the tiny networks steer.
fn model(family: &str) -> PathBuf {
    let at = if family == "sdxl" { "golden/models/tiny-sdxl-base" } else { "sd15/model" };
    reference::own().join(at)
}

fn unet(family: &str) -> UNet {
    let folder = model(family).join("unet");
    UNet::load(&UNetConfig::read(&folder.join("config.json")).unwrap(), &Weights::open(&folder).unwrap(), Keep::All)
        .unwrap()
}

/// What the networks of a family are asked.
struct Asked {
    sample: FeatureMap,
    context: Tokens,
    added: Option<Added>,
    picture: FeatureMap,
}

impl Asked {
    fn of(family: &str, want: &Tensors) -> Self {
        let get = |name: &str| want.get(&format!("{family}.{name}"));
        let added = want.find(&format!("{family}.text_embeds")).map(|pooled| Added {
            pooled: Tokens::from_vectors(pooled).unwrap(),
            time_ids: get("time_ids").to_dtype(DType::F64).unwrap().to_vec2().unwrap(),
        });
        let picture = get("picture").to_dtype(DType::F64).unwrap().affine(1.0 / 255.0, 0.0).unwrap();
        Self {
            sample: FeatureMap::from_tensor(get("sample")).unwrap(),
            context: Tokens::from_tensor(get("context")).unwrap(),
            picture: FeatureMap::from_tensor(&picture).unwrap(),
            added,
        }
    }

    fn question(&self, timestep: f64) -> Question<'_> {
        Question { sample: &self.sample, timestep, context: &self.context, added: self.added.as_ref() }
    }
}

fn words(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn control_nets_give_the_reference_alone_and_together() {
    let want = reference::tensors_at(&folder().join("expected.safetensors"));
    let facts = reference::json_at(&folder().join("expected.json"));
    let cases = facts["answers"].as_object().unwrap();
    assert!(cases.len() >= 4);
    // One of them is kept in eight bits.
    let narrow = Weights::open(&folder().join("depth")).unwrap().formats();
    assert!(narrow.iter().any(|(format, count)| format == "F8_E4M3" && *count > 20), "{narrow:?}");
    for (name, case) in cases {
        let family = case["family"].as_str().unwrap();
        let asked = Asked::of(family, &want);
        let question = asked.question(case["timestep"].as_f64().unwrap());
        let scales: Vec<f64> = case["scales"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        let mut sum: Option<Residuals> = None;
        let nets = words(&case["nets"]);
        for (net, scale) in nets.iter().zip(scales) {
            let net = control(net, Keep::All);
            let hint = net.look(&asked.picture).unwrap();
            let said = net.forward(question, &hint, scale, &mut ()).unwrap();
            if nets.len() == 1 {
                assert_close(
                    &format!("{name}.hint"),
                    &hint.map().to_tensor().unwrap(),
                    want.get(&format!("{name}.hint")),
                    NETWORK,
                );
                assert!(want.find(&format!("{name}.down.{}", said.skips.len())).is_none());
                let down = said.skips.iter().enumerate().map(|(i, skip)| (format!("{name}.down.{i}"), skip));
                for (name, got) in down.chain([(format!("{name}.mid"), &said.bottom)]) {
                    assert_close(&name, &got.to_tensor().unwrap(), want.get(&name), NETWORK);
                }
            }
            sum = Some(match sum {
                Some(sum) => sum.add(&said).unwrap(),
                None => said,
            });
        }
        let unet = unet(family);
        let name = format!("{name}.out");
        let got = unet.forward_steered(question, &sum.unwrap(), &mut ()).unwrap().to_tensor().unwrap();
        assert_close(&name, &got, want.get(&name), NETWORK);
        // The reference is another one without control: the comparison can fail.
        let free = unet.forward(question, &mut ()).unwrap().to_tensor().unwrap();
        assert!(reference::max_abs(&free, want.get(&name)) > 100.0 * NETWORK);
    }
}

#[test]
fn streamed_blocks_of_a_control_net_change_no_bit() {
    let want = reference::tensors_at(&folder().join("expected.safetensors"));
    let asked = Asked::of("sdxl", &want);
    let [kept, streamed] = [Keep::All, Keep::One].map(|keep| {
        let net = control("edges", keep);
        let hint = net.look(&asked.picture).unwrap();
        values(&net.forward(asked.question(500.0), &hint, 1.0, &mut ()).unwrap().bottom.to_tensor().unwrap())
    });
    assert_eq!(kept, streamed);
}

#[test]
fn residuals_of_another_network_are_refused_and_none_is_dropped() {
    let want = reference::tensors_at(&folder().join("expected.safetensors"));
    let asked = Asked::of("sdxl", &want);
    let net = control("edges", Keep::All);
    let hint = net.look(&asked.picture).unwrap();
    let whole = net.forward(asked.question(500.0), &hint, 1.0, &mut ()).unwrap();
    let unet = unet("sdxl");
    let fault =
        |control: &Residuals| unet.forward_steered(asked.question(500.0), control, &mut ()).unwrap_err().to_string();
    let mut short = whole.clone();
    short.skips.pop();
    assert!(fault(&short).contains("residuals, the network takes"), "{}", fault(&short));
    let mut swapped = whole.clone();
    let last = swapped.skips.len() - 1;
    swapped.skips.swap(0, last);
    assert!(fault(&swapped).contains("its place is"), "{}", fault(&swapped));
    assert!(whole.add(&short).is_err());
}

#[test]
fn a_hint_of_another_size_or_number_is_refused() {
    let want = reference::tensors_at(&folder().join("expected.safetensors"));
    let asked = Asked::of("sdxl", &want);
    let net = control("edges", Keep::All);
    let dims = asked.picture.dims();
    let fault = |picture: &FeatureMap| {
        let hint = net.look(picture).unwrap();
        net.forward(asked.question(500.0), &hint, 1.0, &mut ()).unwrap_err().to_string()
    };
    let small = asked.picture.crop((0, 0), (dims.height - 8, dims.width)).unwrap();
    assert!(fault(&small).contains("covers"), "{}", fault(&small));
    let many = asked.picture.to_tensor().unwrap().repeat((3, 1, 1, 1)).unwrap();
    let many = FeatureMap::from_tensor(&many).unwrap();
    assert!(fault(&many).contains("control pictures"), "{}", fault(&many));
    let grey = FeatureMap::from_tensor(&asked.picture.to_tensor().unwrap().narrow(1, 0, 1).unwrap()).unwrap();
    assert!(net.look(&grey).unwrap_err().to_string().contains("pictures of 3 channels"));
}

#[test]
fn a_control_net_stops_within_one_block() {
    let want = reference::tensors_at(&folder().join("expected.safetensors"));
    let asked = Asked::of("sdxl", &want);
    let net = control("edges", Keep::All);
    let hint = net.look(&asked.picture).unwrap();
    let mut heard = 0;
    let mut stop = |done, _| {
        heard = done;
        if done == 2 { Err(darkroom_models::Error::Stopped) } else { Ok(()) }
    };
    let fault = net.forward(asked.question(500.0), &hint, 1.0, &mut stop).unwrap_err();
    assert!(matches!(fault, darkroom_models::Error::Stopped) && heard == 2);
}

/// The published ones: manifest, family, parameters.
const PUBLISHED: [(&str, Family, u64); 2] =
    [("controlnet-sdxl", Family::Sdxl, 1_251_014_160), ("controlnet-sd15", Family::Sd15, 361_279_120)];

fn settings(manifest: &str) -> Value {
    let json: Value = serde_json::from_slice(&archive::unpacked(&format!("manifests/{manifest}.json.gz"))).unwrap();
    json["settings"].clone()
}

fn each_once(manifest: &str, config: &ControlNetConfig, keep: Keep) {
    let weights = archive::dry(manifest);
    ControlNet::load(config, &weights, keep).unwrap();
    let report = weights.finish().unwrap();
    assert_eq!(report.unexpected, [""; 0], "{manifest}");
    assert!(report.consumed.values().all(|times| *times == 1), "{manifest}");
    assert_eq!(report.consumed.len(), archive::manifest(manifest).len());
}

#[test]
fn published_control_nets_take_each_tensor_once_by_their_configuration_and_by_their_header() {
    for (manifest, family, parameters) in PUBLISHED {
        assert_eq!(archive::dry(manifest).bytes() / 4, parameters, "{manifest}");
        let text = settings(manifest).to_string();
        let told = ControlNetConfig::parse(Path::new("config.json"), text.as_bytes()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.safetensors");
        single::save_shapes(archive::manifest(manifest).into_iter().collect(), &path);
        let alone = File::open(&path, Options::default()).unwrap();
        assert_eq!(alone.family(), family);
        // The edge of the pictures that the UNet was made for is in no header, and nothing is built by it.
        let read = ControlNetConfig {
            unet: UNetConfig { sample_size: None, ..alone.config().unet.clone() },
            ..alone.config().clone()
        };
        let told = ControlNetConfig { unet: UNetConfig { sample_size: None, ..told.unet }, ..told };
        assert_eq!(read, told, "{manifest}");
        for keep in [Keep::All, Keep::One] {
            each_once(manifest, &told, keep);
        }
        let described = describe(&path).unwrap();
        assert_eq!((described.role, described.family), (Role::ControlNet, Some(family)));
        std::fs::write(dir.path().join("config.json"), text).unwrap();
        let whole = File::open(dir.path(), Options::default()).unwrap();
        assert_eq!((whole.family(), whole.parts().len()), (family, 2));
    }
}

//! LoRA in every spelling, and its kin: networks with patched layers against merged ones of the reference, and against
//! peft and torch on the living network (`tests/reference/make_adapters.py`).

use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use darkroom_models::{
    Weights,
    folder::Component,
    lora::{BlockStrengths, Lora, Names, Patches},
    nn::{FeatureMap, Keep, Tokens},
    sdxl::{
        TextEncoder, UNet,
        config::{TextEncoderConfig, UNetConfig},
        text::Depth,
        unet::{Added, Question},
    },
};
use darkroom_tests::reference::{self, Tensors, assert_close};

use super::NETWORK;

/// A network's tensors and what builds it.
struct Part<C> {
    config: C,
    weights: Weights,
    component: Component,
}

/// The tiny base model, ready to be dressed.
struct Model {
    unet: Part<UNetConfig>,
    encoders: [Part<TextEncoderConfig>; 2],
    names: Names,
}

impl Model {
    fn open(models: &Path, precision: DType) -> Self {
        let folder = models.join("tiny-sdxl-base");
        let weights = |name: &str| Weights::open(&folder.join(name)).unwrap().with_precision(precision).with_vault();
        let config = |name: &str| folder.join(name).join("config.json");
        let encoder = |name: &str, component| Part {
            config: TextEncoderConfig::read(&config(name)).unwrap(),
            weights: weights(name),
            component,
        };
        let unet = Part {
            config: UNetConfig::read(&config("unet")).unwrap(),
            weights: weights("unet"),
            component: Component::UNet,
        };
        let encoders =
            [encoder("text_encoder", Component::TextEncoder), encoder("text_encoder_2", Component::TextEncoder2)];
        let mut names = Names::default();
        names.add_unet(&unet.weights);
        for part in &encoders {
            names.add_text_encoder(&part.weights, part.component);
        }
        Self { unet, encoders, names }
    }

    /// Returns the tensors of a part with some LoRAs over them.
    fn dressed<C>(&self, part: &Part<C>, loras: &[(&Lora, f64, &str)]) -> Weights {
        let mut patches = Patches::default();
        for (lora, strength, blocks) in loras {
            let fit = lora.fit(&self.names).unwrap();
            assert!(fit.unmatched.is_empty(), "{:?}", fit.unmatched);
            let blocks: BlockStrengths = blocks.parse().unwrap();
            fit.patch(&mut patches, &lora.load().unwrap(), part.component, (*strength, &blocks));
        }
        part.weights.clone().with_patches(patches)
    }

    fn unet(&self, loras: &[(&Lora, f64, &str)]) -> UNet {
        UNet::load(&self.unet.config, &self.dressed(&self.unet, loras), Keep::All).unwrap()
    }

    fn encoder(&self, tower: usize, loras: &[(&Lora, f64, &str)]) -> TextEncoder {
        let part = &self.encoders[tower];
        TextEncoder::load(&part.config, &self.dressed(part, loras), Keep::All).unwrap()
    }
}

fn ask(unet: &UNet, inputs: &Tensors) -> Tensor {
    let get = |name: &str| inputs.get(&format!("in.{name}"));
    let sample = FeatureMap::from_tensor(get("sample")).unwrap();
    let context = Tokens::from_tensor(get("encoder_hidden_states")).unwrap();
    let added = Added {
        pooled: Tokens::from_vectors(get("text_embeds")).unwrap(),
        time_ids: get("time_ids").to_dtype(DType::F64).unwrap().to_vec2().unwrap(),
    };
    let question = Question { sample: &sample, timestep: 500.0, context: &context, added: Some(&added) };
    unet.forward(question, &mut ()).unwrap().to_tensor().unwrap()
}

fn models() -> PathBuf {
    reference::root().join("models")
}

fn lora(name: &str) -> Lora {
    Lora::open(&models().join("lora").join(format!("{name}.safetensors"))).unwrap()
}

/// The files of the reference: one LoRA, spelt in different ways.
fn spellings() -> Vec<String> {
    let facts = reference::facts("lora/sdxl");
    let files = facts["files"].as_array().unwrap().iter();
    let files: Vec<_> = files.map(|name| name.as_str().unwrap().to_owned()).collect();
    assert!(files.len() >= 3);
    files
}

#[test]
fn every_spelling_gives_the_merged_network() {
    let want = reference::tensors("lora/sdxl");
    let model = Model::open(&models(), DType::F32);
    for name in spellings() {
        let lora = lora(&name);
        for (strength, case) in [(0.0, "none"), (1.0, "scale1.0"), (0.6, "scale0.6")] {
            let worn = [(&lora, strength, "")];
            let check = |what: &str, got: &Tensor| {
                let place = format!("{case}.{what}");
                assert_close(&format!("{name} {place}"), got, want.get(&place), NETWORK);
            };
            check("unet", &ask(&model.unet(&worn), &want));
            for (tower, (ids, hidden)) in [("in.ids1", "te1"), ("in.ids2", "te2")].into_iter().enumerate() {
                let rows: Vec<Vec<u32>> = want.get(ids).to_dtype(DType::U32).unwrap().to_vec2().unwrap();
                let encoder = model.encoder(tower, &worn);
                let encoded = encoder.encode(&rows, &mut ()).unwrap();
                let layer = encoder.for_pictures(&encoded, Depth::LastButOne, 0).unwrap();
                check(hidden, &layer.to_tensor().unwrap());
                if encoded.projected {
                    check("pooled", &encoded.pooled.to_vectors().unwrap());
                }
            }
        }
    }
}

#[test]
fn two_loras_add_up_and_the_base_stays() {
    let want = reference::tensors("lora/sdxl");
    let model = Model::open(&models(), DType::F32);
    let names = spellings();
    let (one, two) = (lora(&names[0]), lora(&names[1]));
    let both = model.unet(&[(&one, 0.25, ""), (&two, 0.35, "")]);
    assert_close("0.25 + 0.35", &ask(&both, &want), want.get("scale0.6.unet"), NETWORK);
    assert_close("the base", &ask(&model.unet(&[]), &want), want.get("none.unet"), NETWORK);
}

#[test]
fn another_strength_reads_nothing() {
    let model = Model::open(&models(), DType::F16);
    let lora = lora(&spellings()[0]);
    let reads = || [&model.unet.weights, &model.encoders[0].weights, &model.encoders[1].weights].map(Weights::reads);
    let build = |strength| {
        model.unet(&[(&lora, strength, "")]);
        model.encoder(0, &[(&lora, strength, "")]);
        model.encoder(1, &[(&lora, strength, "")]);
    };
    build(1.0);
    let first = reads();
    assert!(first.iter().all(|reads| *reads > 0));
    build(0.5);
    build(-1.0);
    assert_eq!(reads(), first);
}

#[test]
fn blocks_have_their_own_strengths() {
    let want = reference::tensors("lora/sdxl");
    let model = Model::open(&models(), DType::F32);
    let lora = lora(&spellings()[0]);
    let with = |strength, blocks| ask(&model.unet(&[(&lora, strength, blocks)]), &want);
    assert_close("all off", &with(1.0, "in=0, mid=0, out=0, base=0"), want.get("none.unet"), NETWORK);
    assert_close("all at 0.6", &with(1.0, "in=0.6, mid=0.6, out=0.6"), want.get("scale0.6.unet"), NETWORK);
    let in_alone = with(1.0, "mid=0, out=0");
    assert!(reference::max_abs(&in_alone, want.get("none.unet")) > NETWORK);
    assert!(reference::max_abs(&in_alone, want.get("scale1.0.unet")) > NETWORK);
}

#[test]
fn every_kind_gives_what_peft_and_torch_compute() {
    // These were computed on the model of the repository's own set.
    let model = Model::open(&reference::own().join("golden/models"), DType::F32);
    let folder = reference::own().join("adapters");
    let want = reference::tensors_at(&folder.join("expected.safetensors"));
    assert_close("none", &ask(&model.unet(&[]), &want), want.get("none"), NETWORK);
    let kinds: Vec<_> = want.names().filter(|name| !name.starts_with("in.") && *name != "none").collect();
    assert!(kinds.len() >= 9, "{kinds:?}");
    for kind in kinds {
        let lora = Lora::open(&folder.join(format!("{kind}.safetensors"))).unwrap();
        let got = ask(&model.unet(&[(&lora, 1.0, "")]), &want);
        assert!(reference::max_abs(&got, want.get("none")) > 100.0 * NETWORK, "{kind} must do something");
        assert_close(kind, &got, want.get(kind), NETWORK);
        let off = ask(&model.unet(&[(&lora, 0.0, "")]), &want);
        assert_eq!(reference::values(&off), reference::values(&ask(&model.unet(&[]), &want)), "{kind} at 0");
    }
}

/// Writes the tensors of a LoRA under other names, and opens that.
fn renamed(name: &str, rename: impl Fn(&str) -> String) -> Lora {
    let tensors = reference::tensors_at(&models().join("lora").join(format!("{name}.safetensors")));
    let all: std::collections::HashMap<String, Tensor> =
        tensors.names().map(|name| (rename(name), tensors.get(name).clone())).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("renamed.safetensors");
    candle_core::safetensors::save(&all, &path).unwrap();
    Lora::open(&path).unwrap()
}

#[test]
fn further_spellings_of_the_same_layers_mean_the_same() {
    let want = reference::tensors("lora/sdxl");
    let model = Model::open(&models(), DType::F32);
    let check = |what: &str, lora: &Lora| {
        let got = ask(&model.unet(&[(lora, 1.0, "")]), &want);
        assert_close(what, &got, want.get("scale1.0.unet"), NETWORK);
        let rows: Vec<Vec<u32>> = want.get("in.ids1").to_dtype(DType::U32).unwrap().to_vec2().unwrap();
        let encoder = model.encoder(0, &[(lora, 1.0, "")]);
        let encoded = encoder.encode(&rows, &mut ()).unwrap();
        let layer = encoder.for_pictures(&encoded, Depth::LastButOne, 0).unwrap();
        assert_close(what, &layer.to_tensor().unwrap(), want.get("scale1.0.te1"), NETWORK);
    };
    let peft = "sdxl_peft";
    check("diffusers", &renamed(peft, |name| name.replace("lora_A", "lora.down").replace("lora_B", "lora.up")));
    check(
        "linear layer",
        &renamed(peft, |name| {
            name.replace("lora_A", "lora_linear_layer.down").replace("lora_B", "lora_linear_layer.up")
        }),
    );
    check("named adapter", &renamed(peft, |name| name.replace(".weight", ".default.weight")));
    check("without `text_model`", &renamed(peft, |name| name.replace(".text_model.", ".")));
    check(
        "comfyui",
        &renamed(peft, |name| {
            let name = name.replace("text_encoder_2.", "text_encoders.clip_g.transformer.");
            name.replace("text_encoder.", "text_encoders.clip_l.transformer.").replace("unet.", "diffusion_model.")
        }),
    );
    check("one text encoder", &renamed("sdxl_kohya_sgm", |name| name.replace("lora_te1_", "lora_te_")));
}

#[test]
fn what_has_no_layer_is_listed_and_the_rest_works() {
    let model = Model::open(&models(), DType::F32);
    let odd = renamed("sdxl_peft", |name| name.replace("mid_block.attentions.0", "mid_block.attentions.7"));
    let fit = odd.fit(&model.names).unwrap();
    assert_eq!(fit.unmatched.len(), 2);
    assert!(fit.unmatched.iter().all(|name| name.contains("mid_block.attentions.7")), "{:?}", fit.unmatched);
    assert!(fit.changes(Component::UNet));
}

#[test]
fn a_lora_for_another_model_is_refused_in_one_sentence() {
    let model = Model::open(&models(), DType::F32);
    let flux = renamed("sdxl_peft", |name| format!("transformer.single_transformer_blocks.0.{}", name.len()) + name);
    let fault = flux.fit(&model.names).unwrap_err();
    assert!(
        fault.to_string().starts_with("this LoRA names no layer of the model, it looks like one for flux"),
        "{fault}"
    );
    assert!(fault.hint().unwrap().contains("this family"));
    let turned =
        renamed("sdxl_peft", |name| name.replace("attn2.to_k", "attn1.to_k").replace("attn1.to_q", "attn2.to_k"));
    let fault = turned.fit(&model.names).unwrap_err().to_string();
    assert!(fault.contains("another shape than the model's"), "{fault}");
}

#[test]
fn half_a_layer_is_refused_by_name() {
    let path = models().join("lora/sdxl_peft.safetensors");
    let all = reference::tensors_at(&path);
    let name = all.names().find(|name| name.contains("lora_A")).unwrap();
    let half: std::collections::HashMap<_, _> = [(name.to_owned(), all.get(name).clone())].into();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("half.safetensors");
    candle_core::safetensors::save(&half, &path).unwrap();
    let fault = Lora::open(&path).err().unwrap().to_string();
    assert!(fault.contains("has `lora_down` without `lora_up`"), "{fault}");
}

//! The UNet block by block and whole, at several sizes, for base and refiner; and for inpaint inside a pipeline.

use candle_core::{DType, Tensor};
use darkroom_models::{
    Weights,
    nn::{FeatureMap, Keep, Tokens},
    sdxl::{
        UNet,
        config::UNetConfig,
        unet::{Added, Question},
    },
};
use darkroom_tests::reference::{self, Tensors, assert_close};

use super::NETWORK;

fn unet(model: &str, keep: Keep, precision: DType) -> UNet {
    let folder = reference::root().join("models").join(model).join("unet");
    let config = UNetConfig::read(&folder.join("config.json")).unwrap();
    let weights = Weights::open(&folder).unwrap().with_precision(precision);
    UNet::load(&config, &weights, keep).unwrap()
}

/// One case of the reference.
struct Case<'a> {
    want: &'a Tensors,
    number: usize,
    timestep: f64,
}

impl Case<'_> {
    fn get(&self, name: &str) -> &Tensor {
        self.want.get(&format!("c{}.{name}", self.number))
    }

    /// Asks the network, and holds each result that the reference has too against it.
    fn ask(&self, unet: &UNet) -> (Tensor, usize) {
        let sample = FeatureMap::from_tensor(self.get("sample")).unwrap();
        let context = Tokens::from_tensor(self.get("encoder_hidden_states")).unwrap();
        let added = added(self.get("text_embeds"), self.get("time_ids"));
        let question = Question { sample: &sample, timestep: self.timestep, context: &context, added: Some(&added) };
        let mut compared = 0;
        let mut trace = |name: &str, got: &Tensor| {
            let name = format!("c{}.block.{name}", self.number);
            if let Some(want) = self.want.find(&name) {
                assert_close(&name, got, want, NETWORK);
                compared += 1;
            }
        };
        let out = unet.forward_traced(question, &mut (), &mut trace).unwrap();
        (out.to_tensor().unwrap(), compared)
    }
}

fn added(pooled: &Tensor, time_ids: &Tensor) -> Added {
    Added {
        pooled: Tokens::from_vectors(pooled).unwrap(),
        time_ids: time_ids.to_dtype(DType::F64).unwrap().to_vec2().unwrap(),
    }
}

fn cases(topic: &str, mut each: impl FnMut(Case<'_>)) {
    let want = reference::tensors(topic);
    let facts = reference::facts(topic);
    let cases = facts["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for (number, case) in cases.iter().enumerate() {
        let timestep = case["timestep"].as_f64().unwrap();
        each(Case { want: &want, number, timestep });
    }
}

fn check(model: &str, topic: &str) {
    let unet = unet(model, Keep::All, DType::F32);
    let mut compared = 0;
    cases(topic, |case| {
        let (out, blocks) = case.ask(&unet);
        assert_close(&format!("{topic} case {}", case.number), &out, case.get("out"), NETWORK);
        compared += blocks;
    });
    // Both embeddings, the first convolution, and every block.
    let levels = unet.config().levels.len();
    assert!(compared >= 2 * levels + 4, "{topic}: only {compared} blocks compared");
}

#[test]
fn the_base_gives_the_reference_block_by_block() {
    check("tiny-sdxl-base", "sdxl/unet_base");
}

#[test]
fn the_refiner_gives_the_reference_block_by_block() {
    check("tiny-sdxl-refiner", "sdxl/unet_refiner");
}

#[test]
fn the_inpaint_model_gives_the_reference_on_nine_channels() {
    let want = reference::tensors("pipelines/inpaint9_s099");
    let unet = unet("tiny-sdxl-inpaint9", Keep::All, DType::F32);
    let sample = FeatureMap::from_tensor(want.get("model_in.0")).unwrap();
    let context = Tokens::from_tensor(want.get("encoder_hidden_states")).unwrap();
    let added = added(want.get("text_embeds"), want.get("time_ids"));
    // The schedule is listed whole; the strength skips its start.
    let timesteps = reference::values(want.get("timesteps"));
    let asked = want.names().filter(|name| name.starts_with("model_out.")).count();
    let question = Question {
        sample: &sample,
        timestep: timesteps[timesteps.len() - asked],
        context: &context,
        added: Some(&added),
    };
    let out = unet.forward(question, &mut ()).unwrap().to_tensor().unwrap();
    assert_close("inpaint", &out, want.get("model_out.0"), NETWORK);
}

#[test]
fn streamed_blocks_change_no_bit() {
    let kept = unet("tiny-sdxl-base", Keep::All, DType::F32);
    let streamed = unet("tiny-sdxl-base", Keep::One, DType::F32);
    cases("sdxl/unet_base", |case| {
        let (a, b) = (case.ask(&kept).0, case.ask(&streamed).0);
        assert_eq!(reference::values(&a), reference::values(&b));
    });
}

#[test]
fn narrow_storage_of_narrow_weights_changes_no_bit() {
    // The files are f16: kept so and widened at each use they are the same numbers.
    let wide = unet("tiny-sdxl-base", Keep::All, DType::F32);
    let narrow = unet("tiny-sdxl-base", Keep::All, DType::F16);
    cases("sdxl/unet_base", |case| {
        let (a, b) = (case.ask(&wide).0, case.ask(&narrow).0);
        assert_eq!(reference::values(&a), reference::values(&b));
    });
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let unet = unet("tiny-sdxl-base", Keep::All, DType::F32);
    cases("sdxl/unet_base", |case| {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let case = &case;
            let unet = &unet;
            pool.unwrap().install(|| reference::values(&case.ask(unet).0))
        };
        assert_eq!(with(1), with(3));
    });
}

#[test]
fn a_stop_is_heard_within_one_block() {
    let unet = unet("tiny-sdxl-base", Keep::All, DType::F32);
    cases("sdxl/unet_base", |case| {
        let sample = FeatureMap::from_tensor(case.get("sample")).unwrap();
        let context = Tokens::from_tensor(case.get("encoder_hidden_states")).unwrap();
        let added = added(case.get("text_embeds"), case.get("time_ids"));
        let question = Question { sample: &sample, timestep: case.timestep, context: &context, added: Some(&added) };
        let mut heard = Vec::new();
        let mut stop = |done, of| {
            heard.push((done, of));
            match done {
                3 => Err(darkroom_models::Error::Stopped),
                _ => Ok(()),
            }
        };
        let fault = unet.forward(question, &mut stop).unwrap_err();
        assert!(matches!(fault, darkroom_models::Error::Stopped));
        assert_eq!(heard.len(), 3);
    });
}

#[test]
fn what_does_not_fit_is_refused_in_one_sentence() {
    let unet = unet("tiny-sdxl-base", Keep::All, DType::F32);
    cases("sdxl/unet_base", |case| {
        let sample = FeatureMap::from_tensor(case.get("sample")).unwrap();
        let context = Tokens::from_tensor(case.get("encoder_hidden_states")).unwrap();
        let mut added = added(case.get("text_embeds"), case.get("time_ids"));
        let fault = |sample: &FeatureMap, context: &Tokens, added: Option<&Added>| {
            let question = Question { sample, timestep: case.timestep, context, added };
            unet.forward(question, &mut ()).unwrap_err().to_string()
        };
        let nine = FeatureMap::concat_channels(&[&sample, &sample]).unwrap();
        assert!(fault(&nine, &context, Some(&added)).contains("channels, the sample has"));
        let wide = Tokens::concat_channels(&[&context, &context]).unwrap();
        assert!(fault(&sample, &wide, Some(&added)).contains("the prompt has"));
        assert!(fault(&sample, &context, None).contains("pooled text and sizes"));
        for row in &mut added.time_ids {
            row.pop();
        }
        assert!(fault(&sample, &context, Some(&added)).contains("does not fit"));
    });
}

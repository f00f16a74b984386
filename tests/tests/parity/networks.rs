//! Networks computed by other means: by candle's operations, on other numbers of threads, and a second time.

use std::path::Path;

use candle_core::{Device, Tensor};
use darkroom_kernels::{MASK, Tier};
use darkroom_models::{
    Weights,
    esrgan::Upscaler,
    nn::{Compute, FeatureMap, Mode, Tokens},
    sdxl::unet::{Added, Question},
};
use darkroom_tests::reference::{self, assert_close, values};

use super::{
    NETWORK,
    pipelines::{self, Model},
};

/// How far kernels may be from candle's operations: each of them may be as far off as that.
const BOTH: f64 = 2.0 * NETWORK;

/// Numbers that look like noise, with a standard deviation of 1.
fn noise(seed: u64, dims: &[usize]) -> Tensor {
    let count = dims.iter().product::<usize>() as u64;
    let number = |i: u64| {
        let bits = (seed + i).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((bits >> 40) as f32 / (1 << 24) as f32 - 0.5) * 12f32.sqrt()
    };
    Tensor::from_vec((0..count).map(number).collect(), dims, &Device::Cpu).unwrap()
}

fn map(seed: u64, dims: [usize; 4]) -> FeatureMap {
    FeatureMap::from_tensor(&noise(seed, &dims)).unwrap()
}

/// What a denoising network is asked about two pictures.
struct Asked {
    sample: FeatureMap,
    context: Tokens,
    added: Added,
}

impl Asked {
    /// Takes the text of the reference, and noise of a size.
    fn of(model: &Model, height: usize, width: usize) -> Self {
        let want = reference::tensors("sdxl/unet_base");
        let text = |name: &str| want.get(&format!("c0.{name}")).narrow(0, 0, 1).unwrap().repeat((2, 1, 1));
        let pooled = want.get("c0.text_embeds").narrow(0, 0, 1).unwrap().repeat((2, 1)).unwrap();
        let time_ids = values(&want.get("c0.time_ids").narrow(0, 0, 1).unwrap());
        Self {
            sample: map(1, [2, model.unet.config().in_channels, height, width]),
            context: Tokens::from_tensor(&text("encoder_hidden_states").unwrap()).unwrap(),
            added: Added { pooled: Tokens::from_vectors(&pooled).unwrap(), time_ids: vec![time_ids; 2] },
        }
    }

    fn answer(&self, model: &Model, timestep: f64) -> Tensor {
        let question = Question { sample: &self.sample, timestep, context: &self.context, added: Some(&self.added) };
        model.unet.forward(question, &mut ()).unwrap().to_tensor().unwrap()
    }
}

#[test]
fn what_the_environment_hides_is_not_used() {
    // A name with a slip in it would hide nothing, and all tests would run on the best instructions again.
    let tier = Tier::from_mask().unwrap();
    assert_eq!(Compute::default().numerics(), format!("cpu exact {tier}"));
    if let Ok(asked) = std::env::var(MASK) {
        assert!(asked.is_empty() || tier.name() == asked || tier == Tier::best(), "{asked} was asked for");
    }
}

#[test]
fn kernels_and_candle_answer_the_same_in_every_network_of_a_pipeline() {
    let (ours, theirs) = (pipelines::base(&Compute::default()), pipelines::base(&Compute::composed()));
    for (height, width) in [(16, 8), (9, 11)] {
        let asked = Asked::of(&ours, height, width);
        let what = format!("unet {height}x{width}");
        assert_close(&what, &asked.answer(&ours, 500.5), &asked.answer(&theirs, 500.5), BOTH);
        let latent = map(2, [2, ours.vae.config().latent_channels, height, width]);
        let decode = |model: &Model| model.vae.decode(&latent, &mut ()).unwrap().to_tensor().unwrap();
        assert_close("decoder", &decode(&ours), &decode(&theirs), BOTH);
        let pixels = map(3, [1, 3, 8 * height, 8 * width]);
        let encode = |model: &Model| model.vae.encode(&pixels, &mut ()).unwrap().raw_mean;
        assert_close("encoder", &encode(&ours), &encode(&theirs), BOTH);
    }
    let ids: Vec<u32> = (0..77).map(|i| 7 * i % 100).collect();
    for (ours, theirs) in ours.encoders.iter().zip(&theirs.encoders) {
        let [ours, theirs] = [ours, theirs].map(|encoder| encoder.encode(std::slice::from_ref(&ids), &mut ()).unwrap());
        assert_close("text", &ours.last.to_tensor().unwrap(), &theirs.last.to_tensor().unwrap(), BOTH);
        assert_close("pooled", &ours.pooled.to_tensor().unwrap(), &theirs.pooled.to_tensor().unwrap(), BOTH);
    }
}

#[test]
fn kernels_and_candle_upscale_to_the_same_picture() {
    let folder = reference::root().join("models/esrgan");
    let mut upscalers = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "safetensors") {
            let [ours, theirs] = [Compute::default(), Compute::composed()].map(|compute| upscaled(&file, compute));
            assert_close(&file.display().to_string(), &ours, &theirs, BOTH);
            upscalers += 1;
        }
    }
    assert!(upscalers > 0);
}

fn upscaled(file: &Path, compute: Compute) -> Tensor {
    let upscaler = Upscaler::load(&Weights::open(file).unwrap().with_compute(compute)).unwrap();
    upscaler.upscale(&map(4, [1, 3, 13, 18]), &mut ()).unwrap().to_tensor().unwrap()
}

#[test]
fn the_number_of_threads_changes_no_bit_in_any_mode() {
    for mode in Mode::ALL {
        let model = pipelines::base(&Compute::new(mode));
        // Large enough to be cut into pieces for more threads than there are.
        let asked = Asked::of(&model, 40, 24);
        let latent = map(5, [1, model.vae.config().latent_channels, 24, 40]);
        let run = || {
            let decoded = model.vae.decode(&latent, &mut ()).unwrap().to_tensor().unwrap();
            (values(&asked.answer(&model, 321.0)), values(&decoded))
        };
        let on = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run);
        let one = on(1);
        for threads in [2, 3] {
            let more = on(threads);
            assert!(one == more, "{mode}: {threads} threads make another picture than one");
        }
    }
}

#[test]
fn from_the_second_step_on_no_memory_is_asked_for() {
    for mode in Mode::ALL {
        let compute = Compute::new(mode);
        let model = pipelines::base(&compute);
        let asked = Asked::of(&model, 24, 16);
        let asked = Asked { context: asked.context.clone().remembering(), ..asked };
        let first = asked.answer(&model, 900.0);
        let after_first = compute.figures();
        assert!(after_first.fresh > 0);
        for timestep in [600.0, 300.0] {
            assert!(values(&asked.answer(&model, timestep)) != values(&first));
            assert_eq!(compute.figures().fresh, after_first.fresh, "{mode} at {timestep}");
        }
        assert!(compute.figures().again > after_first.again);
    }
}

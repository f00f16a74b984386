//! What a card is counted to need beside its weights, against what candle's operations then take of the system: by an
//! allocator that counts, on the processor, which is a device of candle's like any other.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use candle_core::{DType, Device, Shape, Tensor};
use darkroom_models::{
    Weights,
    nn::{Card, Compute, FeatureMap, Keep, Mode, Tokens},
    sdxl::{
        UNet, Vae,
        config::{UNetConfig, VaeConfig},
        room::Latents,
        unet::{Added, Question},
    },
};

/// The system's allocator, counted.
struct Counted;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps what `alloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps what `dealloc` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Returns the most bytes that were in use at once during some work, beyond those before it. Small vectors are brought
/// to a card at their first use: the work is done once before.
fn taken(work: impl Fn()) -> f64 {
    work();
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    work();
    (MOST.load(Ordering::Relaxed) - before) as f64
}

fn part(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/weights").join(name)
}

fn weights(name: &str) -> Weights {
    Weights::open(&part(name)).unwrap().with_compute(Compute::card(Card::processor(), Mode::Exact))
}

fn zeros(shape: impl Into<Shape>) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

/// One test, so that nothing else is counted meanwhile.
#[test]
fn what_is_counted_for_a_card_is_about_what_it_takes() {
    let config = VaeConfig::read(&part("vae").join("config.json")).unwrap();
    let w = weights("vae");
    let vae = Vae::load(&config, &w, Keep::All).unwrap();
    for edge in [32, 64] {
        let of = Latents { batch: 1, height: edge, width: edge };
        let latents = FeatureMap::from_tensor(&zeros((1, config.latent_channels, edge, edge))).unwrap();
        let took = taken(|| drop(vae.decode(&latents, &mut ()).unwrap()));
        close("decoder", of, took, Vae::decoding_room(&config, &w, of).unwrap() as f64);
    }
    let config = UNetConfig::read(&part("unet").join("config.json")).unwrap();
    let w = weights("unet");
    let unet = UNet::load(&config, &w, Keep::All).unwrap();
    let shape = config.addition.unwrap();
    // Of smaller ones, what candle's processor packs for its products would be the most.
    for edge in [64, 96] {
        let of = Latents { batch: 2, height: edge, width: edge };
        let sample = FeatureMap::from_tensor(&zeros((2, config.in_channels, edge, edge))).unwrap();
        let context = Tokens::from_tensor(&zeros((2, 77, config.cross_attention_dim))).unwrap();
        let pooled = Tokens::from_vectors(&zeros((2, shape.input_dim - 6 * shape.time_dim))).unwrap();
        let added = Added { pooled, time_ids: vec![vec![0.0; 6]; 2] };
        let question = || Question { sample: &sample, timestep: 1.0, context: &context, added: Some(&added) };
        let took = taken(|| drop(unet.forward(question(), &mut ()).unwrap()));
        close("unet", of, took, UNet::room(&config, &w, of).unwrap() as f64);
    }
}

#[track_caller]
fn close(what: &str, of: Latents, took: f64, counted: f64) {
    let share = counted / took;
    assert!((0.95..1.3).contains(&share), "{what} {of:?}: {counted} bytes were counted, {took} were taken: {share:.2}");
}

//! Where a run's noise comes from: named modes, so that a seed means what it means elsewhere.

use candle_core::{Device as Place, Result, Shape, Tensor};
use serde::{Deserialize, Serialize};

use super::Unsupported;
use crate::rng::{BrownianTree, Philox, TorchCpu};

/// How draws are laid out over streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseMode {
    /// One generator, drawn for the whole batch, in the order of diffusers' pipelines.
    Diffusers,
    /// The first noise from the seed, on the CPU; step noise from seed + 1 (on a card: from the seed).
    Comfyui,
    /// Image i has a stream of its own from seed + i, so that a picture does not depend on the batch it is in.
    PerImage,
}

/// Whose generator is re-made; all draws happen on the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// `torch.Generator("cpu")`.
    Cpu,
    /// `torch.Generator("cuda")`.
    Philox,
}

impl NoiseMode {
    /// All modes with the names and sentences for the user.
    pub const ALL: &[(&str, &str, Self)] = &[
        ("diffusers", "As diffusers draws it: one generator for the whole batch.", Self::Diffusers),
        ("comfyui", "As ComfyUI draws it: first noise from the seed, step noise from the next.", Self::Comfyui),
        ("per_image", "Every image has its own seed; batches of any size agree.", Self::PerImage),
    ];

    /// Finds a mode by its name.
    pub fn named(name: &str) -> std::result::Result<Self, Unsupported> {
        let found = Self::ALL.iter().find(|(known, ..)| *known == name);
        let unknown = || Unsupported::word("noise", name, Self::ALL.iter().map(|(known, ..)| *known));
        found.map(|(.., mode)| *mode).ok_or_else(unknown)
    }
}

/// The noise of one run. A plain value: stored and read back, it goes on where it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NoiseSource {
    mode: NoiseMode,
    device: Device,
    seed: u64,
    /// As bits: text would round it.
    eta: Option<u64>,
    /// The smallest and the largest sigma of a walk by Brownian motion.
    #[serde(default)]
    span: Option<[Bits; 2]>,
    streams: Vec<Stream>,
}

/// A sigma as bits: text would round it.
type Bits = u32;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stream {
    Cpu(TorchCpu),
    Philox(Philox),
    Listed(Vec<f32>),
}

impl NoiseSource {
    /// Gives noise that was drawn elsewhere, value by value, and fails when all is given.
    #[must_use]
    pub fn listed(mut values: Vec<f32>) -> Self {
        values.reverse(); // given from the end
        let streams = vec![Stream::Listed(values)];
        Self { mode: NoiseMode::Diffusers, device: Device::Cpu, seed: 0, eta: None, span: None, streams }
    }

    /// Starts the streams of a seed.
    #[must_use]
    pub fn new(mode: NoiseMode, device: Device, seed: u64) -> Self {
        Self { mode, device, seed, eta: None, span: None, streams: Vec::new() }
    }

    /// Sets how much fresh noise a step takes: 0 none, 1 all that the step allows. Without it a sampler takes its usual share.
    #[must_use]
    pub fn with_eta(mut self, eta: f64) -> Self {
        self.eta = Some(eta.to_bits());
        self
    }

    /// Returns the share of fresh noise, or the sampler's usual one.
    pub(super) fn eta_or(&self, usual: f64) -> f64 {
        self.eta.map_or(usual, f64::from_bits)
    }

    /// Draws the noise that a run begins with, of variance 1: f32, on the CPU, batch first.
    pub fn initial(&mut self, shape: impl Into<Shape>) -> Result<Tensor> {
        if self.mode == NoiseMode::Comfyui {
            let shape = shape.into();
            let values = Stream::new(Device::Cpu, self.seed).randn(shape.elem_count());
            return Tensor::from_vec(values, shape, &Place::Cpu);
        }
        self.draw(shape)
    }

    /// Draws the next noise in order, of variance 1: that of a step, of an autoencoder's sample. f32, on the CPU, batch first.
    pub fn draw(&mut self, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        let images = if self.mode == NoiseMode::PerImage { shape.dims().first().copied().unwrap_or(1) } else { 1 };
        self.open(images);
        let each = shape.elem_count() / images.max(1);
        let values = self.streams[..images].iter_mut().flat_map(|stream| stream.randn(each)).collect();
        Tensor::from_vec(values, shape, &Place::Cpu)
    }

    /// Notes the sigmas between which a walk asks [`NoiseSource::draw_between`]. A walk that is gone on with keeps those it
    /// began with.
    pub(super) fn span(&mut self, smallest: f64, largest: f64) {
        let (smallest, largest) = (smallest as f32, largest as f32);
        let covers = |[low, high]: [Bits; 2]| f32::from_bits(low) <= smallest && largest <= f32::from_bits(high);
        if !self.span.is_some_and(covers) {
            self.span = Some([smallest.to_bits(), largest.to_bits()]);
        }
    }

    /// Draws the noise that is fresh between two sigmas, of variance 1. As ComfyUI draws it, it is how far a Brownian motion
    /// of the seed goes from one to the other, so that ways that overlap share it; otherwise the next in order.
    pub fn draw_between(&mut self, shape: impl Into<Shape>, from: f64, to: f64) -> Result<Tensor> {
        let (NoiseMode::Comfyui, Some([smallest, largest])) = (self.mode, self.span) else { return self.draw(shape) };
        let shape = shape.into();
        let [smallest, largest] = [smallest, largest].map(|bits| f64::from(f32::from_bits(bits)));
        let tree = BrownianTree::new(self.seed, smallest, largest);
        let (from, to) = (from as f32, to as f32);
        let randn = |seed: u32, n: usize| Stream::new(self.device, u64::from(seed)).randn(n);
        let mut values = tree.moved(shape.elem_count(), (f64::from(to), f64::from(from)), &randn);
        // The walk goes against the motion, from large to small.
        let unit = (from - to).sqrt();
        values.iter_mut().for_each(|value| *value = -*value / unit);
        Tensor::from_vec(values, shape, &Place::Cpu)
    }

    /// Makes streams up to a number of images.
    fn open(&mut self, images: usize) {
        while self.streams.len() < images {
            let ahead = match (self.mode, self.device) {
                (NoiseMode::Comfyui, Device::Cpu) => 1,
                _ => self.streams.len() as u64,
            };
            self.streams.push(Stream::new(self.device, self.seed.wrapping_add(ahead)));
        }
    }
}

impl Stream {
    fn new(device: Device, seed: u64) -> Self {
        match device {
            Device::Cpu => Self::Cpu(TorchCpu::new(seed)),
            Device::Philox => Self::Philox(Philox::new(seed)),
        }
    }

    fn randn(&mut self, n: usize) -> Vec<f32> {
        match self {
            Self::Cpu(generator) => generator.randn(n),
            Self::Philox(generator) => generator.randn(n),
            Self::Listed(values) => values.split_off(values.len().saturating_sub(n)).into_iter().rev().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [NoiseMode; 3] = [NoiseMode::Diffusers, NoiseMode::Comfyui, NoiseMode::PerImage];

    fn read(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_stored_source_goes_on_where_it_was() {
        for (mode, device) in MODES.into_iter().flat_map(|mode| [(mode, Device::Cpu), (mode, Device::Philox)]) {
            let mut source = NoiseSource::new(mode, device, 7).with_eta(0.5);
            source.initial((2, 3, 1)).unwrap();
            source.draw((2, 3, 1)).unwrap();
            let text = serde_json::to_string(&source).unwrap();
            let mut resumed: NoiseSource = serde_json::from_str(&text).unwrap();
            for _ in 0..3 {
                let (next, wanted) = (resumed.draw((2, 11)).unwrap(), source.draw((2, 11)).unwrap());
                assert_eq!(read(&next), read(&wanted), "{mode:?} {device:?}");
            }
        }
    }

    #[test]
    fn per_image_noise_does_not_depend_on_the_batch() {
        let mut batch = NoiseSource::new(NoiseMode::PerImage, Device::Cpu, 7);
        let mut second = NoiseSource::new(NoiseMode::PerImage, Device::Cpu, 8);
        for _ in 0..2 {
            let of_batch = batch.draw((3, 4, 5)).unwrap().narrow(0, 1, 1).unwrap();
            assert_eq!(read(&of_batch), read(&second.draw((1, 4, 5)).unwrap()));
        }
    }

    #[test]
    fn diffusers_draws_the_batch_from_one_stream() {
        let mut source = NoiseSource::new(NoiseMode::Diffusers, Device::Cpu, 7);
        let mut torch = TorchCpu::new(7);
        assert_eq!(read(&source.initial((2, 20)).unwrap()), torch.randn(40));
        assert_eq!(read(&source.draw((2, 3)).unwrap()), torch.randn(6));
    }

    #[test]
    fn comfyui_steps_draw_from_the_next_seed() {
        let mut source = NoiseSource::new(NoiseMode::Comfyui, Device::Cpu, 7);
        assert_eq!(read(&source.initial((1, 20)).unwrap()), TorchCpu::new(7).randn(20));
        let mut steps = TorchCpu::new(8);
        assert_eq!(read(&source.draw((1, 20)).unwrap()), steps.randn(20));
        assert_eq!(read(&source.draw((1, 20)).unwrap()), steps.randn(20));
    }

    #[test]
    fn noise_between_sigmas_does_not_depend_on_what_was_asked_before() {
        let mut source = NoiseSource::new(NoiseMode::Comfyui, Device::Cpu, 7);
        source.span(0.03, 14.6);
        let text = serde_json::to_string(&source).unwrap();
        let first = read(&source.draw_between((1, 20), 14.6, 3.0).unwrap());
        let second = read(&source.draw_between((1, 20), 3.0, 0.5).unwrap());
        let mut resumed: NoiseSource = serde_json::from_str(&text).unwrap();
        resumed.span(0.03, 3.0); // a walk that goes on half way
        assert_eq!(read(&resumed.draw_between((1, 20), 3.0, 0.5).unwrap()), second);
        assert_eq!(read(&resumed.draw_between((1, 20), 14.6, 3.0).unwrap()), first);
        assert_ne!(first, second);
    }

    #[test]
    fn other_modes_draw_between_sigmas_as_everywhere() {
        for mode in [NoiseMode::Diffusers, NoiseMode::PerImage] {
            let mut source = NoiseSource::new(mode, Device::Cpu, 7);
            source.span(0.03, 14.6);
            let between = source.clone().draw_between((1, 20), 14.6, 3.0).unwrap();
            assert_eq!(read(&between), read(&source.draw((1, 20)).unwrap()), "{mode:?}");
        }
    }

    #[test]
    fn an_empty_shape_draws_nothing() {
        for mode in MODES {
            let mut source = NoiseSource::new(mode, Device::Cpu, 7);
            assert_eq!(source.draw((0, 4)).unwrap().elem_count(), 0);
        }
    }

    #[test]
    fn modes_are_found_by_name() {
        for (name, _, mode) in NoiseMode::ALL {
            assert_eq!(NoiseMode::named(name), Ok(*mode));
            assert_eq!(serde_json::to_string(mode).unwrap(), format!("\"{name}\""));
        }
        assert!(NoiseMode::named("gpu").unwrap_err().to_string().contains("`diffusers`, `comfyui`, `per_image`"));
    }
}

//! Schedules and samplers against diffusers' schedulers.
//!
//! Which variants there are, with which settings, steps and shapes, is read from the set. Every one must pass; a class
//! or an option that we do not have is a failure.

mod flows;
mod pipelines;
mod tables;
mod trajectories;

use std::cell::RefCell;

use candle_core::{Error, Tensor};
use darkroom_models::sampling::{self, Network, SamplerInfo, Schedule, SchedulerConfig, Table};
use darkroom_tests::reference::Tensors;
use serde_json::Value;

/// One step, as a multiple of the standard deviation: tests/reference/README.md.
pub const STEP: f64 = 1e-5;
/// A whole run, as a multiple of the standard deviation: tests/reference/README.md.
pub const RUN: f64 = 5e-4;

/// A scheduler of the set that is ours to match.
pub struct Variant {
    pub name: String,
    pub config: SchedulerConfig,
    pub sampler: &'static SamplerInfo,
}

impl Variant {
    pub fn read(name: &str, settings: &Value) -> Self {
        assert!(settings["class"].is_string(), "every scheduler of the set names its class");
        let config = SchedulerConfig::from_json(&settings.to_string()).unwrap();
        let sampler = config.sampler().and_then(sampling::sampler).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        Self { name: name.to_owned(), config, sampler }
    }

    pub fn schedule(&self, steps: usize) -> Schedule {
        Schedule::from_config(&self.config, self.sampler.rules, Table::Model, steps).unwrap()
    }

    /// Curves go through powers and logarithms of single precision.
    pub fn curved(&self) -> bool {
        let config = &self.config;
        [config.use_karras_sigmas, config.use_exponential_sigmas, config.use_beta_sigmas].contains(&Some(true))
    }

    /// How far sigmas may be off, relatively.
    pub fn sigma_limit(&self) -> f64 {
        // The rescaling to zero SNR multiplies a thousand ratios that were each rounded to single precision: the
        // reference is itself 3e-6 away from exact arithmetic.
        let rescaled = self.config.rescale_betas_zero_snr == Some(true);
        if self.curved() || rescaled { 1e-5 } else { 1e-6 }
    }

    pub fn is_heun(&self) -> bool {
        self.sampler.name == "heun"
    }

    /// Tells whether a step looks half way, between two points.
    pub fn looks_half_way(&self) -> bool {
        self.sampler.name.starts_with("dpm_2")
    }

    /// The call of the network at which a whole step begins.
    pub fn first_call(&self, step: usize) -> usize {
        match self.sampler.name {
            "heun" | "dpm_2" | "dpm_2_ancestral" => 2 * step,
            "pndm" if step > 0 => step + 1, // its first step looks twice
            _ => step,
        }
    }

    /// What a list names for every call, left once for every whole step.
    pub fn whole_steps(&self, listed: &[f64], steps: usize) -> Vec<f64> {
        // Heun's lists name a point where it is looked at ahead, not where the next step starts.
        let place = |step: usize| if self.is_heun() && step > 0 { 2 * step - 1 } else { self.first_call(step) };
        (0..steps).map(|step| listed[place(step)]).collect()
    }
}

/// The variants of a topic, and how many steps each was recorded with (from names `<variant>.<n>.<what>`).
pub fn variants(facts: &Value, set: &Tensors, what: &str) -> Vec<(Variant, Vec<usize>)> {
    let all = facts["schedulers"].as_object().expect("the set lists its schedulers");
    let ours: Vec<_> = all.iter().map(|(name, settings)| Variant::read(name, settings)).collect();
    assert!(!ours.is_empty(), "the set holds no scheduler");
    let counts = |variant: &Variant| {
        let tail = |name: &str| {
            name.strip_prefix(&variant.name)?.strip_prefix('.')?.strip_suffix(what)?.strip_suffix('.')?.parse().ok()
        };
        let counts: Vec<usize> = set.names().filter_map(tail).collect();
        assert!(!counts.is_empty(), "{} has no `{what}`", variant.name);
        counts
    };
    ours.into_iter()
        .map(|variant| {
            let counts = counts(&variant);
            (variant, counts)
        })
        .collect()
}

/// Compares lists by relative error.
pub fn assert_relative(what: &str, got: &[f64], wanted: &[f64], limit: f64) {
    assert_eq!(got.len(), wanted.len(), "{what}: how many");
    assert!(!wanted.is_empty(), "{what}: nothing to compare");
    for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let gap = (got - wanted).abs();
        assert!(
            gap <= limit * wanted.abs(),
            "{what}, entry {i}: {got} is not {wanted} (off by {:.2e} of it)",
            gap / wanted.abs()
        );
    }
}

/// The factor from our scale to the variance-preserving one.
pub fn preserving(sigma: f64) -> f64 {
    1.0 / (sigma * sigma + 1.0).sqrt()
}

/// A network that says what was recorded, call by call, and remembers what it was shown.
pub struct Replay {
    pub answers: Vec<Tensor>,
    pub shown: RefCell<Vec<(Tensor, f64)>>,
}

impl Replay {
    pub fn new(set: &Tensors, name: &str) -> Self {
        let answers: Vec<_> = (0..).map_while(|i| set.find(&format!("{name}.{i}")).cloned()).collect();
        assert!(!answers.is_empty(), "no recorded `{name}`");
        Self { answers, shown: RefCell::default() }
    }

    /// The same network from a later call on.
    pub fn starting_at(&self, first: usize) -> Self {
        Self { answers: self.answers[first..].to_vec(), shown: RefCell::default() }
    }

    pub fn calls(&self) -> usize {
        self.shown.borrow().len()
    }
}

impl Network for Replay {
    fn predict(&self, x_in: &Tensor, timestep: f64) -> candle_core::Result<Tensor> {
        let call = self.calls();
        self.shown.borrow_mut().push((x_in.clone(), timestep));
        self.answers.get(call).cloned().ok_or_else(|| Error::Msg(format!("call {call} was not recorded")))
    }
}

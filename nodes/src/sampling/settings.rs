//! What a person sets of a walk, beside where it begins and stops: parameters that every node that walks has.

use darkroom_core::Params;
use darkroom_core::fault::Fault;
use darkroom_core::param::{ChoiceParam, Seed};
use darkroom_models::sampling::{
    self, Asks, Guidance, NoiseDevice, NoiseMode, NoiseSource, Prediction, SamplerInfo, Schedule, ScheduleSpec, Snr,
    Table,
};

use crate::fault::tensor_fault;
use crate::sampling::names::{GeneratorName, NoiseName, PredictionName, SamplerName, ScheduleName};
use crate::wires::DenoiserHandle;

/// How a way is walked.
#[derive(Params)]
pub struct Settings {
    /// What chance is. `random` draws one at submission and records it.
    #[param(default = Seed(0))]
    pub seed: Seed,
    /// Steps from noise to picture.
    #[param(default = 30, range = 1..=1000)]
    pub steps: u32,
    /// How strongly the prompt pulls; 1 and less turns guidance off and halves the work, but for samplers named `cfg_pp`.
    #[param(default = 5.0, range = 0.0..=100.0)]
    pub guidance: f64,
    /// Share of the guided prediction that is brought back to its natural spread, against burnt colours.
    #[param(default = 0.0, range = 0.0..=1.0, advanced)]
    pub guidance_rescale: f64,
    /// How the way is walked.
    #[param(default = SamplerName::Euler)]
    pub sampler: SamplerName,
    /// How the steps are spread.
    #[param(default = ScheduleName::Model)]
    pub schedule: ScheduleName,
    /// Share of fresh noise in each step, for samplers that take any; the sampler's usual one if left out.
    #[param(range = Some(0.0)..=Some(1.0), advanced)]
    pub eta: Option<f64>,
    /// What the network is taken to predict, where the model's configuration does not say it right.
    #[param(default = PredictionName::Model, advanced)]
    pub prediction: PredictionName,
    /// Whose noise is drawn.
    #[param(default = NoiseName::Diffusers, advanced)]
    pub noise: NoiseName,
    /// Which generator draws it.
    #[param(default = GeneratorName::Cpu, advanced)]
    pub generator: GeneratorName,
    /// Latents that the denoiser is asked about at a time, both sides of the prompt counted; 0 is all. Fewer need less
    /// memory and give the same picture.
    #[param(default = 0, range = 0..=1024, advanced, same_pixels)]
    pub at_once: u32,
}

impl Settings {
    /// Finds the sampler.
    ///
    /// # Errors
    /// A fault of a name that the models do not know.
    pub fn sampler(&self) -> Result<&'static SamplerInfo, Fault> {
        info(self.sampler)
    }

    /// Makes the schedule of a denoiser, from its first to its last step.
    ///
    /// # Errors
    /// A fault of settings that do not go together.
    pub fn schedule(&self, denoiser: &DenoiserHandle) -> Result<Schedule, Fault> {
        let spec = self.spec(denoiser)?;
        self.sampler()?.schedule(&spec, self.table()?, self.steps as usize).map_err(unsupported)
    }

    /// Finds the table of the schedule.
    ///
    /// # Errors
    /// A fault of a name that the models do not know.
    pub fn table(&self) -> Result<Table, Fault> {
        Table::named(ChoiceParam::word(self.schedule)).map_err(unsupported)
    }

    /// Says what schedules of a denoiser are made from.
    ///
    /// # Errors
    /// A fault of a configuration that we cannot follow.
    pub fn spec(&self, denoiser: &DenoiserHandle) -> Result<ScheduleSpec, Fault> {
        let (model, rules) = (denoiser.model().scheduler(), self.sampler()?.rules);
        let config = match self.prediction {
            PredictionName::Model => model.clone(),
            PredictionName::Epsilon => model.predicting(Prediction::Epsilon, Snr::Trained),
            PredictionName::V => model.predicting(Prediction::V, Snr::Trained),
            PredictionName::VZeroSnr => model.predicting(Prediction::V, Snr::Zero),
            PredictionName::Sample => model.predicting(Prediction::Sample, Snr::Trained),
        };
        config.spec(rules).map_err(unsupported)
    }

    /// How the two sides of the prompt are mixed.
    pub fn guidance(&self) -> Guidance {
        Guidance { scale: self.guidance, rescale: self.guidance_rescale }
    }

    /// Tells how many sides of the prompt the denoiser is asked about.
    ///
    /// # Errors
    /// A fault of a name that the models do not know.
    pub fn sides(&self) -> Result<u64, Fault> {
        sides(self.guidance, self.sampler)
    }

    /// Opens the stream of the seed, behind what encoding the latent drew from it.
    ///
    /// # Errors
    /// A fault of a name that the models do not know.
    pub fn stream(&self, drawn: u64) -> Result<NoiseSource, Fault> {
        let mode = NoiseMode::named(ChoiceParam::word(self.noise)).map_err(unsupported)?;
        let mut source = NoiseSource::new(mode, device(self.generator), self.seed.0);
        if let Some(eta) = self.eta {
            source = source.with_eta(eta);
        }
        if drawn > 0 {
            source.draw(drawn as usize).map_err(tensor_fault)?;
        }
        Ok(source)
    }
}

/// Tells how many sides of the prompt a walk asks about.
///
/// # Errors
/// A fault of a name that the models do not know.
pub fn sides(guidance: f64, sampler: SamplerName) -> Result<u64, Fault> {
    let both = Guidance { scale: guidance, rescale: 0.0 }.is_on() || info(sampler)?.asks == Asks::BothSides;
    Ok(if both { 2 } else { 1 })
}

fn info(sampler: SamplerName) -> Result<&'static SamplerInfo, Fault> {
    sampling::sampler(ChoiceParam::word(sampler)).map_err(unsupported)
}

/// Returns the generator that a word means.
pub fn device(generator: GeneratorName) -> NoiseDevice {
    match generator {
        GeneratorName::Cpu => NoiseDevice::Cpu,
        GeneratorName::Philox => NoiseDevice::Philox,
    }
}

/// Makes a fault of settings that sampling cannot follow.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
pub fn unsupported(error: sampling::Unsupported) -> Fault {
    Fault::graph(error.to_string()).hint("change that setting, or choose a sampler and a schedule that need it not")
}

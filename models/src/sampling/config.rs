//! Reads diffusers' `scheduler_config.json`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::spec::{BetaCurve, Betas, Curve, FinalSigma, Rules, ScheduleSpec, Spacing, Trained};
use super::{Prediction, Unsupported};

/// A scheduler configuration of diffusers; what is not listed is ignored, what is missing takes the class's default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SchedulerConfig {
    /// diffusers' class, such as `EulerDiscreteScheduler`.
    #[serde(rename = "_class_name", alias = "class")]
    pub class: Option<String>,
    /// `linear` or `scaled_linear`.
    pub beta_schedule: Option<String>,
    /// The first beta.
    pub beta_start: Option<f64>,
    /// The last beta.
    pub beta_end: Option<f64>,
    /// Betas one by one; not supported.
    pub trained_betas: Option<Vec<f64>>,
    /// How many timesteps the network was trained on.
    pub num_train_timesteps: Option<i64>,
    /// What the network predicts: `epsilon`, `v_prediction` or `sample`.
    pub prediction_type: Option<String>,
    /// `leading`, `trailing` or `linspace`.
    pub timestep_spacing: Option<String>,
    /// What leading spacing adds.
    pub steps_offset: Option<i64>,
    /// Whether sigmas follow Karras et al.
    pub use_karras_sigmas: Option<bool>,
    /// Whether sigmas are even in their logarithm.
    pub use_exponential_sigmas: Option<bool>,
    /// Whether sigmas follow a beta distribution.
    pub use_beta_sigmas: Option<bool>,
    /// Whether the last timestep is stretched to pure noise.
    pub rescale_betas_zero_snr: Option<bool>,
    /// Whether DDIM ends at sigma 0.
    pub set_alpha_to_one: Option<bool>,
    /// `zero` or `sigma_min`.
    pub final_sigmas_type: Option<String>,
    /// The small end of a Karras or exponential curve.
    pub sigma_min: Option<f64>,
    /// The large end of a Karras or exponential curve.
    pub sigma_max: Option<f64>,
    /// `linear`; others are not supported.
    pub interpolation_type: Option<String>,
    /// Whether DDIM clips the clean latent, which is for pictures, not latents; not supported.
    pub clip_sample: Option<bool>,
    /// Whether DDIM, DPM-Solver and their like squeeze the clean latent, likewise; not supported.
    pub thresholding: Option<bool>,
    /// DPM-Solver: `dpmsolver++` or `sde-dpmsolver++`.
    pub algorithm_type: Option<String>,
    /// DPM-Solver and UniPC: how many steps they remember.
    pub solver_order: Option<i64>,
    /// DPM-Solver: `midpoint` or `heun`; UniPC: `bh1` or `bh2`.
    pub solver_type: Option<String>,
    /// DPM-Solver: whether the last step is of first order, whatever its sigma.
    pub euler_at_final: Option<bool>,
    /// DPM-Solver and UniPC: whether the last steps are of lower order.
    pub lower_order_final: Option<bool>,
    /// DPM-Solver: sigmas of Lu et al.; not supported.
    pub use_lu_lambdas: Option<bool>,
    /// Sigmas of a flow in a class of noise; not supported.
    pub use_flow_sigmas: Option<bool>,
    /// DPM-Solver: leaves the noisiest timesteps out; not supported.
    pub lambda_min_clipped: Option<f64>,
    /// DDPM: `fixed_small`; others are not supported, nor is a variance that the network predicts.
    pub variance_type: Option<String>,
    /// Euler: `discrete`; others are not supported.
    pub timestep_type: Option<String>,
    /// PNDM: whether the Runge-Kutta start is left out; without it not supported.
    pub skip_prk_steps: Option<bool>,
    /// LCM and TCD: steps of the distillation.
    pub original_inference_steps: Option<usize>,
    /// LCM: the scale of timesteps in its boundary condition; 10 alone is supported.
    pub timestep_scaling: Option<f64>,
    /// UniPC: whether it works on clean latents; without it not supported.
    pub predict_x0: Option<bool>,
    /// UniPC: steps that are not corrected; not supported.
    pub disable_corrector: Option<Vec<i64>>,
    /// Flows: the fixed shift.
    pub shift: Option<f64>,
    /// Flows: whether the shift follows from the size of the picture.
    pub use_dynamic_shifting: Option<bool>,
    /// Flows: mu of a small picture.
    pub base_shift: Option<f64>,
    /// Flows: mu of a large picture.
    pub max_shift: Option<f64>,
    /// Flows: tokens of a small picture.
    pub base_image_seq_len: Option<f64>,
    /// Flows: tokens of a large picture.
    pub max_image_seq_len: Option<f64>,
    /// Flows: the last sigma above 0.
    pub shift_terminal: Option<f64>,
    /// Flows: `exponential` or `linear`.
    pub time_shift_type: Option<String>,
    /// Flows: whether sigma runs the other way; not supported.
    pub invert_sigmas: Option<bool>,
    /// Flows: whether steps draw noise; not supported.
    pub stochastic_sampling: Option<bool>,
}

/// What is left of the picture at the noisiest timestep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snr {
    /// As much as the betas leave.
    Trained,
    /// Nothing.
    Zero,
}

impl SchedulerConfig {
    /// Reads the text of a `scheduler_config.json`.
    pub fn from_json(text: &str) -> Result<Self, Unsupported> {
        let malformed = |error: serde_json::Error| Unsupported::Malformed(error.to_string());
        let fields: Map<String, Value> = serde_json::from_str(&without_infinities(text)).map_err(malformed)?;
        Self::deserialize(Value::Object(fields)).map_err(malformed)
    }

    /// Returns what schedules are made from, under the rules of a sampler (see [`super::SamplerInfo`]); a flow keeps its own.
    pub fn spec(&self, rules: Rules) -> Result<ScheduleSpec, Unsupported> {
        if self.is_flow() {
            return self.flow_spec();
        }
        self.refuse_what_we_lack(rules)?;
        let betas = self.betas()?;
        betas.check()?;
        Ok(ScheduleSpec {
            trained: Trained::Betas(betas),
            spacing: self.spacing(rules)?,
            curve: self.curve()?,
            end: self.end(rules)?,
            rules,
            prediction: self.prediction()?,
            curve_ends: self.curve_ends()?,
        })
    }

    /// Returns the same configuration with another word on what the network predicts; a flow stays one.
    #[must_use]
    pub fn predicting(&self, prediction: Prediction, end: Snr) -> Self {
        let word = match prediction {
            Prediction::Epsilon => "epsilon",
            Prediction::V => "v_prediction",
            Prediction::Sample => "sample",
            Prediction::Flow => return self.clone(),
        };
        let (prediction_type, zero) = (Some(word.to_owned()), Some(end == Snr::Zero));
        Self { prediction_type, rescale_betas_zero_snr: zero, ..self.clone() }
    }

    fn is_flow(&self) -> bool {
        self.class.as_deref().is_some_and(|class| class.starts_with("FlowMatch"))
    }

    fn refuse_what_we_lack(&self, rules: Rules) -> Result<(), Unsupported> {
        if self.trained_betas.is_some() {
            return Err(Unsupported::word("trained_betas", "a list", ["null"]));
        }
        let distilled = matches!(rules, Rules::Lcm | Rules::Tcd);
        let clips = distilled || matches!(rules, Rules::Ddim | Rules::Ddpm);
        let clips = clips || self.class.as_deref() == Some("HeunDiscreteScheduler");
        // These two classes clip unless they are told not to. A configuration of another class that says nothing was
        // not made to be clipped.
        let unsaid = matches!(self.class.as_deref(), Some("DDIMScheduler" | "DDPMScheduler"));
        let on = |switch: Option<bool>| switch == Some(true);
        refuse_any(&[
            ("clip_sample", clips && self.clip_sample.unwrap_or(unsaid)),
            ("thresholding", (distilled || clips || rules == Rules::Dpm) && on(self.thresholding)),
            ("use_lu_lambdas", rules == Rules::Dpm && on(self.use_lu_lambdas)),
            ("use_flow_sigmas", on(self.use_flow_sigmas)),
        ])?;
        if let (Rules::Dpm, Some(clipped)) = (rules, self.lambda_min_clipped) {
            return Err(Unsupported::number("lambda_min_clipped", clipped, "-Infinity"));
        }
        if let (Rules::Lcm, Some(scaling)) = (rules, self.timestep_scaling.filter(|scaling| *scaling != 10.0)) {
            return Err(Unsupported::number("timestep_scaling", scaling, "10"));
        }
        if rules == Rules::Ddpm {
            choice("variance_type", self.variance_type.as_deref(), "fixed_small", &[("fixed_small", ())])?;
        }
        if rules == Rules::Euler {
            choice("timestep_type", self.timestep_type.as_deref(), "discrete", &[("discrete", ())])?;
        }
        choice("interpolation_type", self.interpolation_type.as_deref(), "linear", &[("linear", ())])
    }

    pub(super) fn count(&self) -> Result<usize, Unsupported> {
        let count = self.num_train_timesteps.unwrap_or(1000);
        let impossible = || Unsupported::number("num_train_timesteps", count as f64, "1 to 1000000");
        usize::try_from(count).ok().filter(|count| (1..=1_000_000).contains(count)).ok_or_else(impossible)
    }

    fn betas(&self) -> Result<Betas, Unsupported> {
        // The defaults of diffusers' classes.
        let (curve, start, end) = match self.class.as_deref() {
            Some("LCMScheduler" | "TCDScheduler") => ("scaled_linear", 0.00085, 0.012),
            Some("HeunDiscreteScheduler" | "KDPM2DiscreteScheduler" | "KDPM2AncestralDiscreteScheduler") => {
                ("linear", 0.00085, 0.012)
            }
            _ => ("linear", 0.0001, 0.02),
        };
        let curves = [("linear", BetaCurve::Linear), ("scaled_linear", BetaCurve::ScaledLinear)];
        Ok(Betas {
            curve: choice("beta_schedule", self.beta_schedule.as_deref(), curve, &curves)?,
            start: self.beta_start.unwrap_or(start),
            end: self.beta_end.unwrap_or(end),
            count: self.count()?,
            zero_snr: self.rescale_betas_zero_snr.unwrap_or(false),
        })
    }

    fn spacing(&self, rules: Rules) -> Result<Spacing, Unsupported> {
        if matches!(rules, Rules::Lcm | Rules::Tcd) {
            let (steps, count) = (self.original_inference_steps.unwrap_or(50), self.count()?);
            if !(1..=count).contains(&steps) {
                return Err(Unsupported::number("original_inference_steps", steps as f64, format!("1 to {count}")));
            }
            return Ok(Spacing::Distilled { steps });
        }
        let count = self.num_train_timesteps.unwrap_or(1000);
        let offset = self.steps_offset.unwrap_or(0);
        if !(0..=count).contains(&offset) {
            return Err(Unsupported::number("steps_offset", offset as f64, format!("0 to {count}")));
        }
        let leading = Spacing::Leading { offset: offset as usize };
        let spacings = [("leading", leading), ("trailing", Spacing::Trailing), ("linspace", Spacing::Linspace)];
        // The defaults of diffusers' classes; PNDM's is leading too, and SD1.5 is published with it.
        let usual = match (rules, self.class.as_deref()) {
            (Rules::Ddim | Rules::Ddpm, _) | (_, Some("PNDMScheduler")) => "leading",
            _ => "linspace",
        };
        choice("timestep_spacing", self.timestep_spacing.as_deref(), usual, &spacings)
    }

    fn curve(&self) -> Result<Curve, Unsupported> {
        let curves = [
            ("use_karras_sigmas", self.use_karras_sigmas, Curve::Karras),
            ("use_exponential_sigmas", self.use_exponential_sigmas, Curve::Exponential),
            ("use_beta_sigmas", self.use_beta_sigmas, Curve::Beta),
        ];
        let mut chosen = curves.iter().filter(|(_, on, _)| *on == Some(true));
        match (chosen.next(), chosen.next()) {
            (None, _) => Ok(Curve::Model),
            (Some((.., curve)), None) => Ok(*curve),
            (Some((first, ..)), Some((second, ..))) => {
                Err(Unsupported::Together(format!("`{first}` and `{second}` are both true; keep one")))
            }
        }
    }

    fn end(&self, rules: Rules) -> Result<FinalSigma, Unsupported> {
        match rules {
            Rules::Ddim => {
                let usual = self.class.as_deref() != Some("PNDMScheduler");
                let to_one = self.set_alpha_to_one.unwrap_or(usual);
                return Ok(if to_one { FinalSigma::Zero } else { FinalSigma::SigmaMin });
            }
            Rules::Ddpm | Rules::Lcm => return Ok(FinalSigma::Zero),
            Rules::Tcd => return Ok(FinalSigma::SigmaMin),
            _ => {}
        }
        let ends = [("zero", FinalSigma::Zero), ("sigma_min", FinalSigma::SigmaMin)];
        choice("final_sigmas_type", self.final_sigmas_type.as_deref(), "zero", &ends)
    }

    fn prediction(&self) -> Result<Prediction, Unsupported> {
        let known = [("epsilon", Prediction::Epsilon), ("v_prediction", Prediction::V), ("sample", Prediction::Sample)];
        choice("prediction_type", self.prediction_type.as_deref(), "epsilon", &known)
    }

    fn curve_ends(&self) -> Result<(Option<f64>, Option<f64>), Unsupported> {
        for (field, sigma) in [("sigma_min", self.sigma_min), ("sigma_max", self.sigma_max)] {
            if let Some(value) = sigma.filter(|sigma| !(*sigma > 0.0 && sigma.is_finite())) {
                return Err(Unsupported::number(field, value, "above 0"));
            }
        }
        match (self.sigma_min, self.sigma_max) {
            (Some(min), Some(max)) if min >= max => {
                Err(Unsupported::number("sigma_min", min, format!("below `sigma_max`, {max}")))
            }
            ends => Ok(ends),
        }
    }
}

/// Refuses the first switch that is on.
pub(super) fn refuse_any(switches: &[(&'static str, bool)]) -> Result<(), Unsupported> {
    match switches.iter().find(|(_, on)| *on) {
        Some((field, _)) => Err(Unsupported::word(field, "true", ["false"])),
        None => Ok(()),
    }
}

/// Python writes infinite numbers as words that are not JSON (`"lambda_min_clipped": -Infinity` in every published
/// DPM-Solver configuration); none of the fields that hold them matters here.
fn without_infinities(text: &str) -> String {
    let mut inside = false; // of a string, where a quote behind a backslash does not count
    let parts = text.split_inclusive('"').map(|part| {
        let outside = !inside;
        let escaped = part.trim_end_matches('"').bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
        inside ^= part.ends_with('"') && !(inside && escaped);
        if outside {
            part.replace("-Infinity", "null").replace("Infinity", "null").replace("NaN", "null")
        } else {
            part.to_owned()
        }
    });
    parts.collect()
}

/// Finds a named choice, or the usual one where nothing is said.
pub(super) fn choice<T: Copy>(
    field: &'static str,
    said: Option<&str>,
    usual: &str,
    known: &[(&str, T)],
) -> Result<T, Unsupported> {
    let name = said.unwrap_or(usual);
    let found = known.iter().find(|(known, _)| *known == name);
    let unknown = || Unsupported::word(field, name, known.iter().map(|(known, _)| *known));
    found.map(|(_, value)| *value).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDXL: &str = r#"{"_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
        "beta_end": 0.012, "steps_offset": 1, "timestep_spacing": "leading", "trained_betas": null, "clip_sample": false}"#;

    #[test]
    fn the_published_configuration_of_sdxl_is_read() {
        let config = SchedulerConfig::from_json(SDXL).unwrap();
        let spec = config.spec(Rules::Euler).unwrap();
        assert_eq!(config.sampler(), Ok("euler"));
        assert_eq!(
            (spec.spacing, spec.curve, spec.end),
            (Spacing::Leading { offset: 1 }, Curve::Model, FinalSigma::Zero)
        );
        let Trained::Betas(betas) = spec.trained else { panic!("no betas") };
        assert_eq!((betas.curve, betas.count), (BetaCurve::ScaledLinear, 1000));
    }

    #[test]
    fn options_of_a_schedule_that_we_lack_are_refused_where_they_count() {
        for (text, rules, field) in [
            (r#"{"use_lu_lambdas": true}"#, Rules::Dpm, "use_lu_lambdas"),
            (r#"{"use_flow_sigmas": true}"#, Rules::Dpm, "use_flow_sigmas"),
            (r#"{"thresholding": true}"#, Rules::Lcm, "thresholding"),
            (r#"{"lambda_min_clipped": -5.1}"#, Rules::Dpm, "lambda_min_clipped"),
            (r#"{"variance_type": "learned"}"#, Rules::Ddpm, "variance_type"),
            (r#"{"timestep_type": "continuous"}"#, Rules::Euler, "timestep_type"),
            (r#"{"timestep_scaling": 1}"#, Rules::Lcm, "timestep_scaling"),
            (r#"{"original_inference_steps": 0}"#, Rules::Tcd, "original_inference_steps"),
            (r#"{"_class_name": "HeunDiscreteScheduler", "clip_sample": true}"#, Rules::Euler, "clip_sample"),
            (
                r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "invert_sigmas": true}"#,
                Rules::Euler,
                "invert_sigmas",
            ),
            (r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 0}"#, Rules::Euler, "shift"),
            (r#"{"_class_name": "FlowMatchHeunDiscreteScheduler"}"#, Rules::Euler, "_class_name"),
        ] {
            let fault = SchedulerConfig::from_json(text).unwrap().spec(rules).unwrap_err().to_string();
            assert!(fault.starts_with(&format!("`{field}` is ")), "{text}: {fault}");
        }
    }

    #[test]
    fn impossible_values_are_refused_with_their_field_and_the_way_out() {
        let cases = [
            (r#"{"beta_end": 0}"#, "`beta_end` is 0, but must be above 0 and below 1"),
            (r#"{"beta_end": -0.1}"#, "`beta_end` is -0.1"),
            (r#"{"num_train_timesteps": 0}"#, "`num_train_timesteps` is 0, but must be 1 to 1000000"),
            (r#"{"num_train_timesteps": -5}"#, "`num_train_timesteps` is -5"),
            (r#"{"num_train_timesteps": 1000000000000}"#, "but must be 1 to 1000000"),
            (r#"{"steps_offset": -1}"#, "`steps_offset` is -1"),
            (r#"{"beta_schedule": "squaredcos_cap_v2"}"#, "use `linear`, `scaled_linear`"),
            (r#"{"timestep_spacing": "random"}"#, "use `leading`, `trailing`, `linspace`"),
            (r#"{"prediction_type": "flow_prediction"}"#, "`prediction_type` is `flow_prediction`"),
            (r#"{"use_beta_sigmas": true, "use_karras_sigmas": true}"#, "both true"),
            (r#"{"trained_betas": [0.1]}"#, "trained_betas"),
            (r#"{"interpolation_type": "log_linear"}"#, "interpolation_type"),
            (r#"{"final_sigmas_type": "one"}"#, "use `zero`, `sigma_min`"),
            (r#"{"use_karras_sigmas": true, "use_exponential_sigmas": true}"#, "both true"),
            (r#"{"sigma_min": 2, "sigma_max": 1}"#, "below `sigma_max`, 1"),
            (r#"{"sigma_max": 0}"#, "`sigma_max` is 0"),
        ];
        for (text, wanted) in cases {
            let config = SchedulerConfig::from_json(text).unwrap();
            let fault = config.spec(Rules::Euler).unwrap_err().to_string();
            assert!(fault.contains(wanted), "{text}: {fault}");
        }
    }

    #[test]
    fn clipping_is_refused_where_the_reference_would_clip() {
        let config = SchedulerConfig::from_json(r#"{"clip_sample": true}"#).unwrap();
        assert!(config.spec(Rules::Euler).is_ok());
        let fault = config.spec(Rules::Ddim).unwrap_err().to_string();
        assert_eq!(fault, "`clip_sample` is `true`, which is not supported; use `false`");
    }

    #[test]
    fn a_class_that_clips_by_itself_must_be_told_not_to() {
        for (class, rules) in [("DDIMScheduler", Rules::Ddim), ("DDPMScheduler", Rules::Ddpm)] {
            let read =
                |rest: &str| SchedulerConfig::from_json(&format!(r#"{{"_class_name": "{class}"{rest}}}"#)).unwrap();
            assert!(read("").spec(rules).unwrap_err().to_string().starts_with("`clip_sample`"), "{class}");
            assert!(read(r#", "clip_sample": false"#).spec(rules).is_ok(), "{class}");
            assert!(read("").spec(Rules::Euler).is_ok(), "{class}");
        }
        let other = SchedulerConfig::from_json(r#"{"_class_name": "EulerDiscreteScheduler"}"#).unwrap();
        assert!(other.spec(Rules::Ddim).is_ok());
    }

    #[test]
    fn infinities_as_python_writes_them_are_passed_over() {
        let text = r#"{"note": "a \"NaN\" is -Infinity", "_class_name": "NaN\\", "lambda_min_clipped": -Infinity, "beta_end": 0.5}"#;
        let config = SchedulerConfig::from_json(text).unwrap();
        assert_eq!((config.class.as_deref(), config.beta_end), (Some("NaN\\"), Some(0.5)));
    }

    #[test]
    fn what_is_no_configuration_is_refused_and_not_a_panic() {
        for text in ["", "[]", "{", r#"{"beta_start": "much"}"#, "null", r#"{"beta_end": 1e999}"#] {
            assert!(matches!(SchedulerConfig::from_json(text), Err(Unsupported::Malformed(_))), "{text}");
        }
    }
}

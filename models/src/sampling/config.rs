//! Reads diffusers' `scheduler_config.json`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::spec::{BetaCurve, Betas, Curve, FinalSigma, Rules, ScheduleSpec, Spacing};
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
    /// What the network predicts: `epsilon`, `v_prediction`, `flow_prediction`.
    pub prediction_type: Option<String>,
    /// `leading`, `trailing` or `linspace`.
    pub timestep_spacing: Option<String>,
    /// What leading spacing adds.
    pub steps_offset: Option<i64>,
    /// Whether sigmas follow Karras et al.
    pub use_karras_sigmas: Option<bool>,
    /// Whether sigmas are even in their logarithm.
    pub use_exponential_sigmas: Option<bool>,
    /// Whether sigmas follow a beta distribution; not supported.
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
    /// DPM-Solver: `dpmsolver++` or `sde-dpmsolver++`.
    pub algorithm_type: Option<String>,
}

impl SchedulerConfig {
    /// Reads the text of a `scheduler_config.json`.
    pub fn from_json(text: &str) -> Result<Self, Unsupported> {
        let malformed = |error: serde_json::Error| Unsupported::Malformed(error.to_string());
        let fields: Map<String, Value> = serde_json::from_str(&without_infinities(text)).map_err(malformed)?;
        Self::deserialize(Value::Object(fields)).map_err(malformed)
    }

    /// Returns the name of our sampler for the configured class; Euler for classes we do not have.
    #[must_use]
    pub fn sampler(&self) -> &'static str {
        match self.class.as_deref() {
            Some("EulerAncestralDiscreteScheduler") => "euler_ancestral",
            Some("DDIMScheduler") => "ddim",
            Some("HeunDiscreteScheduler") => "heun",
            Some("DPMSolverMultistepScheduler") => match self.algorithm_type.as_deref() {
                Some("sde-dpmsolver++") => "dpmpp_2m_sde",
                _ => "dpmpp_2m",
            },
            _ => "euler",
        }
    }

    /// Returns what schedules are made from, under the rules of a sampler (see [`super::SamplerInfo`]).
    pub fn spec(&self, rules: Rules) -> Result<ScheduleSpec, Unsupported> {
        self.refuse_what_we_lack()?;
        let spec = ScheduleSpec {
            betas: self.betas()?,
            spacing: self.spacing(rules)?,
            curve: self.curve()?,
            end: self.end(rules)?,
            rules,
            prediction: self.prediction()?,
            curve_ends: self.curve_ends()?,
        };
        spec.betas.check()?;
        Ok(spec)
    }

    fn refuse_what_we_lack(&self) -> Result<(), Unsupported> {
        if self.trained_betas.is_some() {
            return Err(Unsupported::word("trained_betas", "a list", ["null"]));
        }
        if self.use_beta_sigmas == Some(true) {
            return Err(Unsupported::word("use_beta_sigmas", "true", ["false"]));
        }
        choice("interpolation_type", self.interpolation_type.as_deref(), "linear", &[("linear", ())])
    }

    fn betas(&self) -> Result<Betas, Unsupported> {
        let heun = self.class.as_deref() == Some("HeunDiscreteScheduler");
        let (start, end) = if heun { (0.00085, 0.012) } else { (0.0001, 0.02) };
        let curves = [("linear", BetaCurve::Linear), ("scaled_linear", BetaCurve::ScaledLinear)];
        let count = self.num_train_timesteps.unwrap_or(1000);
        let negative = |_| Unsupported::number("num_train_timesteps", count as f64, "1 to 1000000");
        Ok(Betas {
            curve: choice("beta_schedule", self.beta_schedule.as_deref(), "linear", &curves)?,
            start: self.beta_start.unwrap_or(start),
            end: self.beta_end.unwrap_or(end),
            count: usize::try_from(count).map_err(negative)?,
            zero_snr: self.rescale_betas_zero_snr.unwrap_or(false),
        })
    }

    fn spacing(&self, rules: Rules) -> Result<Spacing, Unsupported> {
        let count = self.num_train_timesteps.unwrap_or(1000);
        let offset = self.steps_offset.unwrap_or(0);
        if !(0..=count).contains(&offset) {
            return Err(Unsupported::number("steps_offset", offset as f64, format!("0 to {count}")));
        }
        let leading = Spacing::Leading { offset: offset as usize };
        let spacings = [("leading", leading), ("trailing", Spacing::Trailing), ("linspace", Spacing::Linspace)];
        // The defaults of diffusers' classes; PNDM's is leading too, and SD1.5 is published with it.
        let usual = match (rules, self.class.as_deref()) {
            (Rules::Ddim, _) | (_, Some("PNDMScheduler")) => "leading",
            _ => "linspace",
        };
        choice("timestep_spacing", self.timestep_spacing.as_deref(), usual, &spacings)
    }

    fn curve(&self) -> Result<Curve, Unsupported> {
        match (self.use_karras_sigmas.unwrap_or(false), self.use_exponential_sigmas.unwrap_or(false)) {
            (false, false) => Ok(Curve::Model),
            (true, false) => Ok(Curve::Karras),
            (false, true) => Ok(Curve::Exponential),
            (true, true) => Err(Unsupported::Together(
                "`use_karras_sigmas` and `use_exponential_sigmas` are both true; keep one".to_owned(),
            )),
        }
    }

    fn end(&self, rules: Rules) -> Result<FinalSigma, Unsupported> {
        if rules == Rules::Ddim {
            let to_one = self.set_alpha_to_one.unwrap_or(true);
            return Ok(if to_one { FinalSigma::Zero } else { FinalSigma::SigmaMin });
        }
        let ends = [("zero", FinalSigma::Zero), ("sigma_min", FinalSigma::SigmaMin)];
        choice("final_sigmas_type", self.final_sigmas_type.as_deref(), "zero", &ends)
    }

    fn prediction(&self) -> Result<Prediction, Unsupported> {
        let known =
            [("epsilon", Prediction::Epsilon), ("v_prediction", Prediction::V), ("flow_prediction", Prediction::Flow)];
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
fn choice<T: Copy>(
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
        assert_eq!(config.sampler(), "euler");
        assert_eq!(
            (spec.spacing, spec.curve, spec.end),
            (Spacing::Leading { offset: 1 }, Curve::Model, FinalSigma::Zero)
        );
        assert_eq!((spec.betas.curve, spec.betas.count), (BetaCurve::ScaledLinear, 1000));
    }

    #[test]
    fn every_class_of_ours_names_a_sampler_of_ours() {
        for class in ["EulerDiscrete", "EulerAncestralDiscrete", "DDIM", "HeunDiscrete", "DPMSolverMultistep", "PNDM"] {
            let config = SchedulerConfig { class: Some(format!("{class}Scheduler")), ..Default::default() };
            assert!(super::super::sampler(config.sampler()).is_ok(), "{class}");
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
            (r#"{"prediction_type": "sample"}"#, "`prediction_type` is `sample`"),
            (r#"{"use_beta_sigmas": true}"#, "`use_beta_sigmas` is `true`"),
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

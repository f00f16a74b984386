//! Reads the configuration of a flow: diffusers' FlowMatchEulerDiscreteScheduler.

use super::config::{SchedulerConfig, choice, refuse_any};
use super::spec::{Curve, FinalSigma, Rules, ScheduleSpec, Spacing, Trained};
use super::{Flow, Growth, Prediction, Shift, Unsupported};

impl SchedulerConfig {
    pub(super) fn flow_spec(&self) -> Result<ScheduleSpec, Unsupported> {
        choice("_class_name", self.class.as_deref(), "", &[("FlowMatchEulerDiscreteScheduler", ())])?;
        let switches = [
            ("invert_sigmas", self.invert_sigmas),
            ("stochastic_sampling", self.stochastic_sampling),
            ("use_karras_sigmas", self.use_karras_sigmas),
            ("use_exponential_sigmas", self.use_exponential_sigmas),
            ("use_beta_sigmas", self.use_beta_sigmas),
        ];
        refuse_any(&switches.map(|(field, on)| (field, on == Some(true))))?;
        let positive = |field, value: Option<f64>, usual: f64| match value.unwrap_or(usual) {
            value if value > 0.0 && value.is_finite() => Ok(value),
            value => Err(Unsupported::number(field, value, "above 0")),
        };
        let growths = [("exponential", Growth::Exponential), ("linear", Growth::Linear)];
        let growth = choice("time_shift_type", self.time_shift_type.as_deref(), "exponential", &growths)?;
        let shift = if self.use_dynamic_shifting == Some(true) {
            let small = positive("base_image_seq_len", self.base_image_seq_len, 256.0)?;
            let large = positive("max_image_seq_len", self.max_image_seq_len, 4096.0)?;
            if large <= small {
                return Err(Unsupported::number(
                    "max_image_seq_len",
                    large,
                    format!("above `base_image_seq_len`, {small}"),
                ));
            }
            let small = (small, positive("base_shift", self.base_shift, 0.5)?);
            Shift::ByTokens { small, large: (large, positive("max_shift", self.max_shift, 1.15)?), growth }
        } else {
            Shift::Fixed(positive("shift", self.shift, 1.0)?)
        };
        let terminal = self.shift_terminal.filter(|terminal| *terminal != 0.0);
        if let Some(terminal) = terminal.filter(|terminal| !(*terminal > 0.0 && *terminal < 1.0)) {
            return Err(Unsupported::number("shift_terminal", terminal, "between 0 and 1"));
        }
        Ok(ScheduleSpec {
            trained: Trained::Flow(Flow { shift, trained: self.count()?, terminal }),
            spacing: Spacing::Linspace,
            curve: Curve::Model,
            end: FinalSigma::Zero,
            rules: Rules::Flow,
            prediction: Prediction::Flow,
            curve_ends: (None, None),
        })
    }
}

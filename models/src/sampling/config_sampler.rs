//! Which sampler a configuration means: its class, and the options of its solver.

use super::Unsupported;
use super::config::{SchedulerConfig, choice};

/// diffusers' classes whose sampler follows from the class alone.
const CLASSES: &[(&str, &str)] = &[
    ("EulerDiscreteScheduler", "euler"),
    ("EulerAncestralDiscreteScheduler", "euler_ancestral"),
    ("FlowMatchEulerDiscreteScheduler", "euler"),
    ("DDIMScheduler", "ddim"),
    ("DDPMScheduler", "ddpm"),
    ("HeunDiscreteScheduler", "heun"),
    ("KDPM2DiscreteScheduler", "dpm_2"),
    ("KDPM2AncestralDiscreteScheduler", "dpm_2_ancestral"),
    ("LMSDiscreteScheduler", "lms"),
    ("PNDMScheduler", "pndm"),
    ("LCMScheduler", "lcm"),
    ("TCDScheduler", "tcd"),
];

impl SchedulerConfig {
    /// Returns the name of our sampler for the configured class and its solver's options; Euler where no class is named.
    ///
    /// Fails for classes and options that we do not have.
    pub fn sampler(&self) -> Result<&'static str, Unsupported> {
        match self.class.as_deref() {
            Some("DPMSolverMultistepScheduler") => self.multistep(),
            Some("UniPCMultistepScheduler") => self.uni_pc(),
            Some("DPMSolverSinglestepScheduler") => {
                choice("algorithm_type", self.algorithm_type.as_deref(), "dpmsolver++", &[("dpmsolver++", ())])?;
                choice("solver_type", self.solver_type.as_deref(), "midpoint", &[("midpoint", ())])?;
                self.order(2, &[2]).map(|_| "dpmpp_2s")
            }
            Some("PNDMScheduler") if self.skip_prk_steps != Some(true) => {
                Err(Unsupported::word("skip_prk_steps", "false", ["true"]))
            }
            class => {
                let known: Vec<_> = CLASSES.iter().map(|(class, name)| (*class, *name)).collect();
                choice("_class_name", class, "EulerDiscreteScheduler", &known)
            }
        }
    }

    fn multistep(&self) -> Result<&'static str, Unsupported> {
        let algorithms = [("dpmsolver++", false), ("sde-dpmsolver++", true)];
        let noisy = choice("algorithm_type", self.algorithm_type.as_deref(), "dpmsolver++", &algorithms)?;
        let heun =
            choice("solver_type", self.solver_type.as_deref(), "midpoint", &[("midpoint", false), ("heun", true)])?;
        let order = self.order(2, if noisy || heun { &[2] } else { &[2, 3] })?;
        // Down to 0 the last step is of first order anyway.
        let ends_noisy = self.final_sigmas_type.as_deref() == Some("sigma_min");
        if self.euler_at_final == Some(true) && ends_noisy {
            return Err(Unsupported::word("euler_at_final", "true", ["false"]));
        }
        if self.lower_order_final == Some(false) && (ends_noisy || order == 3) {
            return Err(Unsupported::word("lower_order_final", "false", ["true"]));
        }
        match (noisy, heun, order) {
            (false, false, 3) => Ok("dpmpp_3m"),
            (false, false, _) => Ok("dpmpp_2m"),
            (true, false, _) => Ok("dpmpp_2m_sde"),
            (true, true, _) => Ok("dpmpp_2m_sde_heun"),
            (false, true, _) => Err(Unsupported::word("solver_type", "heun", ["midpoint"])),
        }
    }

    fn uni_pc(&self) -> Result<&'static str, Unsupported> {
        let refused = [
            ("predict_x0", self.predict_x0 == Some(false), "true"),
            ("lower_order_final", self.lower_order_final == Some(false), "true"),
            ("disable_corrector", self.disable_corrector.as_ref().is_some_and(|steps| !steps.is_empty()), "[]"),
        ];
        if let Some((field, _, known)) = refused.into_iter().find(|(_, refused, _)| *refused) {
            return Err(Unsupported::word(field, "set", [known]));
        }
        let first = choice("solver_type", self.solver_type.as_deref(), "bh2", &[("bh1", true), ("bh2", false)])?;
        match (self.order(2, if first { &[3] } else { &[2, 3] })?, first) {
            (2, _) => Ok("unipc"),
            (_, true) => Ok("uni_pc"),
            (_, false) => Ok("uni_pc_bh2"),
        }
    }

    fn order(&self, usual: i64, known: &[i64]) -> Result<i64, Unsupported> {
        let order = self.solver_order.unwrap_or(usual);
        if known.contains(&order) {
            return Ok(order);
        }
        let known: Vec<_> = known.iter().map(ToString::to_string).collect();
        Err(Unsupported::number("solver_order", order as f64, known.join(" or ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_ours_names_a_sampler_of_ours() {
        let solvers = ["DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler"];
        for class in CLASSES.iter().map(|(class, _)| *class).chain(solvers) {
            let skip_prk_steps = Some(true);
            let config = SchedulerConfig { class: Some(class.to_owned()), skip_prk_steps, ..Default::default() };
            assert!(crate::sampling::sampler(config.sampler().unwrap()).is_ok(), "{class}");
        }
    }

    #[test]
    fn options_of_a_solver_are_followed_or_refused() {
        let sampler = |text: &str| {
            let text = text.replace('#', r#"{"_class_name": "DPMSolverMultistepScheduler""#);
            SchedulerConfig::from_json(&text).unwrap().sampler().map_err(|fault| fault.to_string())
        };
        assert_eq!(sampler(r#"#, "solver_order": 3}"#), Ok("dpmpp_3m"));
        assert_eq!(
            sampler(r#"#, "algorithm_type": "sde-dpmsolver++", "solver_type": "heun"}"#),
            Ok("dpmpp_2m_sde_heun")
        );
        assert_eq!(sampler(r#"#, "euler_at_final": true}"#), Ok("dpmpp_2m"));
        assert_eq!(sampler(r#"{"_class_name": "UniPCMultistepScheduler", "solver_order": 3}"#), Ok("uni_pc_bh2"));
        for (text, wanted) in [
            (r#"#, "solver_order": 1}"#, "`solver_order` is 1, but must be 2 or 3"),
            (r#"#, "solver_type": "heun"}"#, "use `midpoint`"),
            (r#"#, "algorithm_type": "dpmsolver"}"#, "`algorithm_type` is `dpmsolver`"),
            (r#"#, "euler_at_final": true, "final_sigmas_type": "sigma_min"}"#, "euler_at_final"),
            (r#"#, "solver_order": 3, "lower_order_final": false}"#, "lower_order_final"),
            (r#"{"_class_name": "PNDMScheduler"}"#, "`skip_prk_steps` is `false`"),
            (r#"{"_class_name": "UniPCMultistepScheduler", "predict_x0": false}"#, "predict_x0"),
            (r#"{"_class_name": "ScoreSdeVeScheduler"}"#, "`_class_name` is `ScoreSdeVeScheduler`"),
        ] {
            assert!(sampler(text).unwrap_err().contains(wanted), "{text}");
        }
    }
}

//! What can be chosen of a walk: samplers, schedules, whose conventions.
//!
//! The words and sentences are those of `darkroom_models::sampling`; a test holds both equal. A new sampler or schedule
//! is one line here.

use darkroom_core::Choice;

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $word:literal: $sentence:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
        pub enum $name {
            $(#[doc = $sentence] #[choice(name = $word)] $variant),*
        }
    };
}

#[rustfmt::skip]
choices! {
    /// How the way from noise to picture is walked.
    SamplerName {
        Euler "euler": "Straight steps; the one SDXL was published with.",
        EulerAncestral "euler_ancestral": "Steps a little too far and puts fresh noise back; livelier, and every number of steps is another picture.",
        Ddim "ddim": "The classic; with eta above 0 it adds fresh noise.",
        Heun "heun": "Looks ahead and averages; twice the work a step, fewer steps needed.",
        Dpmpp2m "dpmpp_2m": "Remembers the step before; sharp in 20 steps.",
        Dpmpp2mSde "dpmpp_2m_sde": "As dpmpp_2m, with fresh noise in every step.",
        Dpmpp2mSdeHeun "dpmpp_2m_sde_heun": "As dpmpp_2m_sde, with more weight on the step before.",
        DpmppSde "dpmpp_sde": "Fresh noise and a look half way; twice the work a step, lively and detailed.",
        Dpmpp3mSde "dpmpp_3m_sde": "As dpmpp_2m_sde, remembering two steps; for 30 steps and more.",
        Dpmpp3m "dpmpp_3m": "As dpmpp_2m, remembering two steps.",
        Dpmpp2s "dpmpp_2s": "Pairs of steps that need nothing of the past; diffusers' single-step DPM-Solver.",
        Dpmpp2sAncestral "dpmpp_2s_ancestral": "A look half way and fresh noise; twice the work a step.",
        Heunpp2 "heunpp2": "Looks two steps ahead; three times the work a step.",
        Dpm2 "dpm_2": "Looks half way; twice the work a step.",
        Dpm2Ancestral "dpm_2_ancestral": "Looks half way and puts fresh noise back; twice the work a step.",
        Lms "lms": "Remembers three steps and lays a curve through them.",
        Pndm "pndm": "Remembers three steps; the one SD1.5 was published with.",
        Ipndm "ipndm": "Remembers three steps, as if all were evenly long.",
        IpndmV "ipndm_v": "Remembers three steps and how long they were.",
        Deis "deis": "Remembers two steps on the scale of a diffusion process; good with few steps.",
        UniPc "uni_pc": "Predicts, then corrects at no cost; good with few steps.",
        UniPcBh2 "uni_pc_bh2": "As uni_pc, by another norm; steadier under strong guidance.",
        Unipc "unipc": "diffusers' UniPC: as uni_pc_bh2, remembering one step.",
        ResMultistep "res_multistep": "Remembers one step in an exponential scheme.",
        ResMultistepAncestral "res_multistep_ancestral": "As res_multistep, with fresh noise in every step.",
        GradientEstimation "gradient_estimation": "Carries the change of direction on; quick to settle.",
        ErSde "er_sde": "Fresh noise, tamed by two earlier steps; detailed in 20 steps.",
        Seeds2 "seeds_2": "A look half way with noise that fits together; twice the work a step.",
        Seeds3 "seeds_3": "Two looks on the way with noise that fits together; three times the work a step.",
        SaSolver "sa_solver": "Predicts and corrects by four steps, with fresh noise in the middle of the way.",
        Ddpm "ddpm": "The first of them all: as much fresh noise as a step allows; needs many steps.",
        Lcm "lcm": "For models distilled by latent consistency: 2 to 8 steps, guidance about 1.",
        Tcd "tcd": "For models distilled by trajectory consistency and Hyper-SD's one-step file: 1 to 8 steps; eta 0.3.",
        DpmFast "dpm_fast": "DPM-Solver in few looks, as many as there are steps; of the schedule only the ends count.",
        DpmAdaptive "dpm_adaptive": "DPM-Solver that takes as many steps as it needs; of the schedule only the ends count.",
        EulerCfgPp "euler_cfg_pp": "As euler, by CFG++: for a guidance of 0.5 to 2.",
        EulerAncestralCfgPp "euler_ancestral_cfg_pp": "As euler_ancestral, by CFG++: for a guidance of 0.5 to 2.",
        Dpmpp2sAncestralCfgPp "dpmpp_2s_ancestral_cfg_pp": "As dpmpp_2s_ancestral, by CFG++: for a guidance of 0.5 to 2.",
        Dpmpp2mCfgPp "dpmpp_2m_cfg_pp": "As dpmpp_2m, by CFG++: for a guidance of 0.5 to 2.",
        ResMultistepCfgPp "res_multistep_cfg_pp": "As res_multistep, by CFG++: for a guidance of 0.5 to 2.",
        ResMultistepAncestralCfgPp "res_multistep_ancestral_cfg_pp": "As res_multistep_ancestral, by CFG++: for a guidance of 0.5 to 2.",
        GradientEstimationCfgPp "gradient_estimation_cfg_pp": "As gradient_estimation, by CFG++: for a guidance of 0.5 to 2.",
    }
}

#[rustfmt::skip]
choices! {
    /// How the steps are spread between noise and picture.
    ScheduleName {
        Model "model": "The steps the checkpoint was published with.",
        Karras "karras": "More steps where the picture is nearly clean; crisp detail.",
        Exponential "exponential": "Still more steps near the clean end.",
        Beta "beta": "More steps at both ends: the composition and the finest detail.",
        Leading "leading": "Even steps that stop short of the noisiest; as SD1.5 and SDXL were published.",
        Trailing "trailing": "Starts at the noisiest timestep; for few steps and distilled models.",
        Linspace "linspace": "From the noisiest timestep to the cleanest, evenly.",
        SgmUniform "sgm_uniform": "ComfyUI's sgm_uniform: as trailing, by ComfyUI's sigmas.",
        Normal "normal": "ComfyUI's normal: from the noisiest timestep to the cleanest, evenly.",
        Simple "simple": "ComfyUI's simple: every so many of the trained sigmas.",
        ComfyuiKarras "comfyui_karras": "ComfyUI's karras: over all of the trained sigmas.",
        ComfyuiExponential "comfyui_exponential": "ComfyUI's exponential: over all of the trained sigmas.",
        ComfyuiBeta "comfyui_beta": "ComfyUI's beta: trained sigmas, dense at both ends; a step fewer where two fall together.",
        DdimUniform "ddim_uniform": "ComfyUI's ddim_uniform: every so many of the trained sigmas, from the small end; a step or more longer where the number does not divide.",
        LinearQuadratic "linear_quadratic": "ComfyUI's linear_quadratic: small steps while noise is strong, then growing ones.",
        KlOptimal "kl_optimal": "ComfyUI's kl_optimal: evenly in the angle of sigma.",
    }
}

choices! {
    /// Whose noise is drawn.
    NoiseName {
        Diffusers "diffusers": "One generator for the whole batch, as diffusers draws it: the same seed gives the same picture there.",
        Comfyui "comfyui": "As ComfyUI draws it: the first noise from the seed, that of the steps from the seed after it, and for `dpmpp_sde` and the like from the Brownian motion of the seed.",
        PerImage "per_image": "Every picture has its own seed, counted up from the given one: batches of any size agree.",
    }
}

choices! {
    /// Which generator draws.
    GeneratorName {
        Cpu "cpu": "PyTorch's generator on the processor.",
        Philox "philox": "PyTorch's generator on an NVIDIA card.",
    }
}

choices! {
    /// What the network is taken to predict.
    PredictionName {
        Model "model": "What the model's configuration says.",
        Epsilon "epsilon": "The noise.",
        V "v": "The velocity.",
        VZeroSnr "v_zero_snr": "The velocity, with nothing of the picture left at the noisiest timestep; begin there, as `trailing` and ComfyUI's schedules do.",
        Sample "sample": "The clean latent; for models distilled to a single step.",
    }
}

choices! {
    /// Whether noise is put on the latent before the first step.
    AddNoise {
        Enable "enable": "Noise of the seed is put on it.",
        Disable "disable": "The latent is taken as it is, with the noise that is in it.",
    }
}

choices! {
    /// What becomes of noise that is left at `end_step`.
    LeftoverName {
        Keep "keep": "It stays in the latent, for another node to go on from.",
        Remove "remove": "The last step takes all of it.",
    }
}

choices! {
    /// How `strength` counts steps.
    StrengthName {
        Diffusers "diffusers": "As diffusers' strength: of `steps`, the last share is taken.",
        Comfyui "comfyui": "As ComfyUI's denoise: all of `steps` are taken, over the last share of the way.",
    }
}

choices! {
    /// Who may answer in place of the network.
    StepCacheName {
        None "none": "Nobody: the network is asked at every step.",
        Easycache "easycache": "EasyCache: the last answer, where the next one is foreseen to be much like it.",
    }
}

#[cfg(test)]
mod tests {
    use darkroom_core::param::ChoiceParam;
    use darkroom_core::spec::Choice;
    use darkroom_models::sampling;

    use super::*;

    fn offered(choices: &'static [Choice]) -> Vec<(&'static str, &'static str)> {
        choices.iter().map(|choice| (choice.name, choice.doc)).collect()
    }

    #[test]
    fn every_sampler_and_schedule_is_offered_in_its_own_words() {
        let samplers: Vec<_> = sampling::SAMPLERS.iter().map(|sampler| (sampler.name, sampler.doc)).collect();
        let tables: Vec<_> = sampling::TABLES.iter().map(|(name, doc, _)| (*name, *doc)).collect();
        assert_eq!(offered(SamplerName::CHOICES), samplers);
        assert_eq!(offered(ScheduleName::CHOICES), tables);
    }
}

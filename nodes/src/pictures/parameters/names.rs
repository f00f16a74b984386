//! What A1111 calls our samplers and schedules.
//!
//! Its schedules are those of k-diffusion, which ComfyUI has too: `normal` where nothing is said.

/// Samplers: A1111's name, ours.
const SAMPLERS: &[(&str, &str)] = &[
    ("Euler", "euler"),
    ("Euler a", "euler_ancestral"),
    ("DDIM", "ddim"),
    ("Heun", "heun"),
    ("DPM++ 2M", "dpmpp_2m"),
    ("DPM++ 2M SDE", "dpmpp_2m_sde"),
    ("DPM2", "dpm_2"),
    ("DPM2 a", "dpm_2_ancestral"),
    ("LMS", "lms"),
    ("DPM++ 2S a", "dpmpp_2s_ancestral"),
    ("DPM++ SDE", "dpmpp_sde"),
    ("DPM++ 3M SDE", "dpmpp_3m_sde"),
    ("LCM", "lcm"),
    ("UniPC", "uni_pc"),
];

/// Schedules: A1111's name, ours. diffusers' `karras` and `exponential` keep their own names, which A1111 reads as those
/// of its schedules, and we as what they are.
const SCHEDULES: &[(&str, &str)] = &[
    ("Karras", "comfyui_karras"),
    ("Exponential", "comfyui_exponential"),
    ("SGM Uniform", "sgm_uniform"),
    ("Simple", "simple"),
    ("Normal", "normal"),
    ("Uniform", "normal"),
    ("Beta", "beta"),
];

/// What A1111 does for each sampler if no schedule is said (`modules/sd_samplers_kdiffusion.py`, `scheduler`).
const AUTOMATIC: &[(&str, &str)] = &[
    ("dpmpp_2m", "comfyui_karras"),
    ("dpmpp_sde", "comfyui_karras"),
    ("dpmpp_2m_sde", "comfyui_exponential"),
    ("dpmpp_3m_sde", "comfyui_exponential"),
    ("dpmpp_2s_ancestral", "comfyui_karras"),
    ("dpm_2", "comfyui_karras"),
    ("dpm_2_ancestral", "comfyui_karras"),
    ("ddim", "model"),
    ("uni_pc", "model"),
];

fn theirs<'a>(table: &[(&'static str, &str)], ours: &'a str) -> Option<&'a str> {
    table.iter().find(|(_, name)| *name == ours).map(|(theirs, _)| *theirs)
}

fn ours(table: &[(&str, &'static str)], theirs: &str) -> Option<&'static str> {
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(theirs)).map(|(_, ours)| *ours)
}

/// Returns A1111's name for one of our samplers; ours where it has none.
pub fn their_sampler(name: &str) -> &str {
    theirs(SAMPLERS, name).unwrap_or(name)
}

/// Returns A1111's name for one of our schedules; ours where it has none.
pub fn their_schedule(name: &str) -> &str {
    theirs(SCHEDULES, name).unwrap_or(name)
}

/// Returns our sampler and schedule for A1111's names. Until 1.9 the schedule was the last word of the sampler's name.
pub fn our_walk(sampler: &str, schedule: Option<&str>) -> (Option<&'static str>, Option<&'static str>) {
    let schedule = schedule.filter(|name| !name.eq_ignore_ascii_case("automatic"));
    let joined = sampler.rsplit_once(' ').filter(|(_, last)| ours(SCHEDULES, last).is_some());
    let (sampler, schedule) = match joined {
        Some((sampler, last)) if ours(SAMPLERS, sampler).is_some() => (sampler, schedule.or(Some(last))),
        _ => (sampler, schedule),
    };
    let sampler = ours(SAMPLERS, sampler);
    let automatic = || {
        sampler.and_then(|ours| AUTOMATIC.iter().find(|(name, _)| *name == ours)).map_or("normal", |(_, name)| *name)
    };
    let schedule = match schedule {
        Some(name) => ours(SCHEDULES, name),
        None => Some(automatic()),
    };
    (sampler, schedule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_old_and_new_versions_are_known() {
        assert_eq!(our_walk("Euler a", None), (Some("euler_ancestral"), Some("normal")));
        assert_eq!(our_walk("DPM++ 2M Karras", None), (Some("dpmpp_2m"), Some("comfyui_karras")));
        assert_eq!(our_walk("DPM++ 2M", Some("Automatic")), (Some("dpmpp_2m"), Some("comfyui_karras")));
        assert_eq!(our_walk("DPM++ 2M", Some("SGM Uniform")), (Some("dpmpp_2m"), Some("sgm_uniform")));
        assert_eq!(our_walk("Restart", Some("Turbo")), (None, None));
        assert_eq!((their_sampler("dpmpp_2m"), their_schedule("comfyui_karras")), ("DPM++ 2M", "Karras"));
        assert_eq!((their_sampler("other"), their_schedule("model")), ("other", "model"));
    }
}

//! Timesteps, sigmas and alphas, for every number of steps of the set.

use darkroom_models::sampling::{BetaCurve, Betas};
use darkroom_tests::reference::{self, values};

use super::{Variant, assert_relative, preserving, variants};

#[test]
fn tables_are_diffusers() {
    let set = reference::tensors("schedulers/tables");
    let alphas = values(set.get("alphas_cumprod"));
    for (variant, counts) in variants(&reference::facts("schedulers/tables"), &set, "timesteps") {
        for n in counts {
            let what = format!("{}.{n}", variant.name);
            let schedule = variant.schedule(n);
            let listed = |part: &str| set.find(&format!("{what}.{part}")).map(values);
            let wanted = variant.whole_steps(&listed("timesteps").unwrap(), n);
            let timesteps: Vec<_> = schedule.points[..schedule.len()].iter().map(|point| point.timestep).collect();
            // A curve's fractional timesteps come from logarithms of single precision.
            let limit = if variant.curved() { 1e-6 } else { 0.0 };
            assert_relative(&format!("{what}.timesteps"), &timesteps, &wanted, limit);
            let sigmas: Vec<_> = schedule.points.iter().map(|point| point.sigma).collect();
            match listed("sigmas") {
                Some(listed) => {
                    // Lists that name points twice: each once, and the end.
                    let place = |step: usize| if step > 0 { variant.first_call(step) - 1 } else { 0 };
                    let place = |step| if listed.len() == n + 1 { step } else { place(step) };
                    let mut wanted: Vec<f64> = (0..n).map(|step| listed[place(step)]).collect();
                    wanted.extend(listed.last());
                    assert_relative(&format!("{what}.sigmas"), &sigmas, &wanted, variant.sigma_limit());
                }
                // DDIM and its like keep alphas instead.
                None => {
                    let sigma = |t: &f64| (1.0 / alphas[*t as usize] - 1.0).sqrt();
                    let wanted: Vec<_> = timesteps.iter().map(sigma).collect();
                    assert_relative(&format!("{what} by alphas"), &sigmas[..n], &wanted, 1e-6);
                    let last = if ends_noisy(&variant) { sigma(&0.0) } else { 0.0 };
                    assert!((sigmas[n] - last).abs() <= 1e-6 * last, "{what}: ends at {}", sigmas[n]);
                }
            }
            let mut scale = schedule.initial_scale();
            if schedule.preserving {
                scale *= preserving(sigmas[0]);
            }
            let limit = variant.sigma_limit();
            assert_relative(&format!("{what}.init_noise_sigma"), &[scale], &listed("init_noise_sigma").unwrap(), limit);
        }
    }
}

/// Tells whether a class that keeps alphas stops at the smallest trained sigma.
fn ends_noisy(variant: &Variant) -> bool {
    match variant.config.class.as_deref() {
        Some("DDPMScheduler" | "LCMScheduler") => false,
        Some("TCDScheduler") => true,
        Some("PNDMScheduler") => variant.config.set_alpha_to_one != Some(true),
        _ => variant.config.set_alpha_to_one == Some(false),
    }
}

#[test]
fn alphas_are_diffusers() {
    let set = reference::tensors("schedulers/tables");
    let facts = reference::facts("schedulers/tables");
    let mut compared = 0;
    // The set's alphas are those of its betas without any other setting; every variant names the same betas.
    let settings = facts["schedulers"].as_object().unwrap().values();
    for settings in settings.filter(|settings| settings["beta_schedule"] == "scaled_linear") {
        let betas = Betas {
            curve: BetaCurve::ScaledLinear,
            start: settings["beta_start"].as_f64().unwrap(),
            end: settings["beta_end"].as_f64().unwrap(),
            count: settings["num_train_timesteps"].as_u64().unwrap() as usize,
            zero_snr: false,
        };
        let got: Vec<_> = betas.alphas_cumprod().into_iter().map(f64::from).collect();
        assert_relative("alphas_cumprod", &got, &values(set.get("alphas_cumprod")), 1e-6);
        compared += 1;
    }
    assert!(compared > 0);
}

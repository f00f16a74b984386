//! Whole pipelines without their networks.

use darkroom_models::sampling::{
    Calls, Done, Given, Guidance, Guided, NoiseDevice, NoiseMode, NoiseSource, Predictor, Schedule, State,
};
use darkroom_tests::reference::{self, assert_close, std_dev};
use serde_json::Value;

use super::{RUN, Replay, STEP, Variant, preserving};

/// Runs of whole pipelines: guidance, eta, late starts and early stops, with the network's answers as recorded.
#[test]
fn pipelines_without_their_networks_are_diffusers() {
    let folder = reference::root().join("expected/pipelines");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let compared = names.iter().filter(|name| replays(name)).count();
    assert!(compared > 0, "no pipeline of {} could be compared", folder.display());
}

/// Replays one pipeline; false if it is one that this test does not cover.
fn replays(name: &str) -> bool {
    let (set, facts) =
        (reference::tensors(&format!("pipelines/{name}")), reference::facts(&format!("pipelines/{name}")));
    let call = &facts["call"];
    let variant = Variant::read(name, &facts["scheduler"]);
    // Inpainting mixes pictures between steps; some runs were recorded without the network's answers.
    if call.get("mask_image").is_some() || set.find("model_out.0").is_none() {
        return false;
    }
    let schedule = variant.schedule(call["num_inference_steps"].as_u64().unwrap() as usize);
    let (start, stop) = span(call, &schedule);
    let schedule = schedule.stopping_at(stop);
    let number = |field: &str, usual: f64| call[field].as_f64().unwrap_or(usual);
    let guidance = Guidance { scale: number("guidance_scale", 5.0), rescale: number("guidance_rescale", 0.0) };

    let replay = Replay::new(&set, "model_out");
    let calls = if guidance.is_on() { Calls::Together(&replay) } else { Calls::Positive(&replay) };
    let network = Guided { calls, guidance };
    let model = Predictor { network: &network, prediction: schedule.prediction };

    let seen = set.get("model_in.0");
    let batch = if guidance.is_on() { seen.dim(0).unwrap() / 2 } else { seen.dim(0).unwrap() };
    let first_in = seen.narrow(0, 0, batch).unwrap();
    let x = (first_in / preserving(schedule.points[start].sigma)).unwrap();

    let eta = call["eta"].as_f64();
    let stochastic = variant.sampler.stochastic || eta.is_some_and(|eta| eta > 0.0);
    let mut noise = NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, facts["seed"].as_u64().unwrap());
    noise = match eta {
        Some(eta) => noise.with_eta(eta),
        None => noise,
    };
    // Draws before the first step: the first noise; for image to image also the autoencoder's sample before it.
    let drawn = facts["draws"].as_u64().unwrap() as usize - if stochastic { stop - start } else { 0 };
    for i in 0..drawn {
        let wanted = set.get(&format!("noise.{i}"));
        let got = noise.draw(wanted.shape()).unwrap();
        assert_close(&format!("{name}: noise.{i}"), &got, wanted, 1e-6);
        if drawn == 1 && start == 0 {
            assert_close(&format!("{name}: first latent"), &schedule.initial(&got).unwrap(), &x, STEP * std_dev(&x));
        }
    }
    let mut on_step = |done: Done<'_>| {
        let sigma = done.step.next.sigma;
        let scale = if schedule.preserving { preserving(sigma) } else { 1.0 };
        let wanted = set.get(&format!("latents.{}", done.state.index - start - 1));
        assert_close(
            &format!("{name}, after step {}", done.state.index),
            &(&done.state.x * scale)?,
            wanted,
            RUN * std_dev(wanted),
        );
        Ok(())
    };
    let given = Given { model: &model, schedule: &schedule, noise: &mut noise, on_step: &mut on_step };
    let end = (variant.sampler.run)(given, State::new(x, start));
    assert_eq!(end.unwrap().index, stop, "{name}: the last step");
    assert!(set.find(&format!("latents.{}", stop - start)).is_none(), "{name}: diffusers took more steps");
    true
}

/// The first step and the one to stop before.
fn span(call: &Value, schedule: &Schedule) -> (usize, usize) {
    let share = |field: &str| call[field].as_f64();
    let start = match (share("denoising_start"), share("strength")) {
        (Some(fraction), _) => schedule.handover(fraction),
        (_, Some(strength)) => schedule.start_of_strength(strength),
        _ => 0,
    };
    (start, share("denoising_end").map_or(schedule.len(), |fraction| schedule.handover(fraction)))
}

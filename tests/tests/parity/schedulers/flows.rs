//! Flows: shifted sigmas, and straight steps over them.

use darkroom_models::sampling::{
    Done, Given, Growth, NoiseDevice, NoiseMode, NoiseSource, Predictor, Schedule, SchedulerConfig, Shift, State,
    Trained, euler,
};
use darkroom_tests::reference::{self, assert_close, std_dev, values};
use serde_json::Value;

use super::{RUN, Replay, assert_relative};

/// Reads `flow_<kind>.<steps>.seq<tokens>`.
fn parts(name: &str) -> (usize, usize) {
    let words: Vec<_> = name.split('.').collect();
    (words[1].parse().unwrap(), words[2].strip_prefix("seq").unwrap().parse().unwrap())
}

fn config(settings: &Value) -> SchedulerConfig {
    let mut settings = settings.clone();
    settings["class"] = "FlowMatchEulerDiscreteScheduler".into();
    SchedulerConfig::from_json(&settings.to_string()).unwrap()
}

#[test]
fn flow_tables_are_diffusers() {
    let (set, facts) = (reference::tensors("schedulers/tables"), reference::facts("schedulers/tables"));
    let flows = facts["flow"].as_object().expect("the set lists its flows");
    assert!(!flows.is_empty());
    for (name, settings) in flows {
        let (steps, tokens) = parts(name);
        let config = config(settings);
        let spec = config.spec(config.sampler().and_then(darkroom_models::sampling::sampler).unwrap().rules).unwrap();
        let schedule = spec.for_tokens(tokens).schedule(steps).unwrap();
        let sigmas: Vec<_> = schedule.points.iter().map(|point| point.sigma).collect();
        let wanted = values(set.get(&format!("{name}.sigmas")));
        assert_relative(&format!("{name}.sigmas"), &sigmas, &wanted, 1e-5);
        let timesteps: Vec<_> = schedule.points[..steps].iter().map(|point| point.timestep).collect();
        let wanted = values(set.get(&format!("{name}.timesteps")));
        assert_relative(&format!("{name}.timesteps"), &timesteps, &wanted, 1e-5);
    }
}

#[test]
fn flow_runs_are_diffusers() {
    let (set, facts) = (reference::tensors("schedulers/trajectories"), reference::facts("schedulers/tables"));
    let mut kinds: Vec<_> = set.names().filter_map(|name| name.strip_suffix(".start")).collect();
    kinds.retain(|name| name.starts_with("flow_"));
    assert!(!kinds.is_empty(), "the set holds no run of a flow");
    for kind in kinds {
        let flows = facts["flow"].as_object().unwrap();
        let (_, settings) = flows.iter().find(|(name, _)| name.split('.').next() == Some(kind)).unwrap();
        let replay = Replay::new(&set, &format!("{kind}.out"));
        let schedule = recorded_schedule(&config(settings), replay.answers.len());
        let model = Predictor { network: &replay, prediction: schedule.prediction };
        let mut noise = NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, 0);
        let start = State::new(set.get(&format!("{kind}.start")).clone(), 0);
        let mut on_step = |done: Done<'_>| {
            let wanted = set.get(&format!("{kind}.step.{}", done.state.index - 1));
            assert_close(&format!("{kind}, step {}", done.state.index), &done.state.x, wanted, RUN * std_dev(wanted));
            Ok(())
        };
        let given = Given { model: &model, schedule: &schedule, noise: &mut noise, on_step: &mut on_step };
        let end = euler(given, start);
        assert_eq!(end.unwrap().index, replay.answers.len());
    }
}

/// The runs were recorded with a mu of 0.7 where it is not fixed.
fn recorded_schedule(config: &SchedulerConfig, steps: usize) -> Schedule {
    let mut spec = config.spec(darkroom_models::sampling::Rules::Flow).unwrap();
    if let Trained::Flow(flow) = &mut spec.trained
        && matches!(flow.shift, Shift::ByTokens { .. })
    {
        flow.shift = Shift::of_mu(0.7, Growth::Exponential);
    }
    spec.schedule(steps).unwrap()
}

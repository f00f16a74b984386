//! Schedules and samplers against diffusers' schedulers.
//!
//! Which variants there are, with which settings, steps and shapes, is read from the set. Those of classes that we
//! do not have are passed over; a class that we have must pass in every variant but those named in [`lacking`].

use std::cell::RefCell;

use candle_core::{Device, Error, Tensor};
use darkroom_models::sampling::{
    self, BetaCurve, Betas, Calls, Done, Guidance, Guided, Network, NoiseDevice, NoiseMode, NoiseSource, Predictor,
    SamplerInfo, Schedule, SchedulerConfig, State, Table,
};
use darkroom_tests::reference::{self, Tensors, assert_close, std_dev, values};
use serde_json::Value;

/// diffusers' classes that we have.
const CLASSES: [&str; 5] = [
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "DDIMScheduler",
    "HeunDiscreteScheduler",
    "DPMSolverMultistepScheduler",
];

/// One step, as a multiple of the standard deviation: tests/reference/README.md.
const STEP: f64 = 1e-5;
/// A whole run, as a multiple of the standard deviation: tests/reference/README.md.
const RUN: f64 = 5e-4;

/// A scheduler of the set that is ours to match.
struct Variant {
    name: String,
    config: SchedulerConfig,
    sampler: &'static SamplerInfo,
}

impl Variant {
    fn read(name: &str, settings: &Value) -> Option<Self> {
        let class = settings["class"].as_str().expect("every scheduler of the set names its class");
        if !CLASSES.contains(&class) || lacking(settings) {
            return None;
        }
        let config = SchedulerConfig::from_json(&settings.to_string()).unwrap();
        let sampler = sampling::sampler(config.sampler()).unwrap();
        Some(Self { name: name.to_owned(), config, sampler })
    }

    fn schedule(&self, steps: usize) -> Schedule {
        Schedule::from_config(&self.config, self.sampler.rules, Table::Model, steps).unwrap()
    }

    /// Karras and exponential curves go through powers and logarithms of single precision.
    fn curved(&self) -> bool {
        self.config.use_karras_sigmas == Some(true) || self.config.use_exponential_sigmas == Some(true)
    }

    fn is_heun(&self) -> bool {
        self.sampler.name == "heun"
    }
}

/// Settings of our classes that we do not have: sigmas of a beta distribution, solvers of third order.
fn lacking(settings: &Value) -> bool {
    settings["use_beta_sigmas"] == true || settings["solver_order"].as_u64().is_some_and(|order| order != 2)
}

/// The variants of a topic, and how many steps each was recorded with (from names `<variant>.<n>.<what>`).
fn variants(facts: &Value, set: &Tensors, what: &str) -> Vec<(Variant, Vec<usize>)> {
    let all = facts["schedulers"].as_object().expect("the set lists its schedulers");
    let ours: Vec<_> = all.iter().filter_map(|(name, settings)| Variant::read(name, settings)).collect();
    assert!(!ours.is_empty(), "the set holds no scheduler of ours");
    let counts = |variant: &Variant| {
        let tail = |name: &str| {
            name.strip_prefix(&variant.name)?.strip_prefix('.')?.strip_suffix(what)?.strip_suffix('.')?.parse().ok()
        };
        let counts: Vec<usize> = set.names().filter_map(tail).collect();
        assert!(!counts.is_empty(), "{} has no `{what}`", variant.name);
        counts
    };
    ours.into_iter()
        .map(|variant| {
            let counts = counts(&variant);
            (variant, counts)
        })
        .collect()
}

/// Compares lists by relative error.
fn assert_relative(what: &str, got: &[f64], wanted: &[f64], limit: f64) {
    assert_eq!(got.len(), wanted.len(), "{what}: how many");
    assert!(!wanted.is_empty(), "{what}: nothing to compare");
    for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let gap = (got - wanted).abs();
        assert!(
            gap <= limit * wanted.abs(),
            "{what}, entry {i}: {got} is not {wanted} (off by {:.2e} of it)",
            gap / wanted.abs()
        );
    }
}

/// Heun's lists name every point but the ends twice; this leaves each once.
fn whole_steps(listed: Vec<f64>, heun: bool) -> Vec<f64> {
    let keep = |i: usize| !heun || i == 0 || i % 2 == 1;
    listed.into_iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, value)| value).collect()
}

#[test]
fn tables_are_diffusers() {
    let set = reference::tensors("schedulers/tables");
    let alphas = values(set.get("alphas_cumprod"));
    for (variant, counts) in variants(&reference::facts("schedulers/tables"), &set, "timesteps") {
        for n in counts {
            let what = format!("{}.{n}", variant.name);
            let schedule = variant.schedule(n);
            let listed = |part: &str| set.find(&format!("{what}.{part}")).map(values);
            let wanted = whole_steps(listed("timesteps").unwrap(), variant.is_heun());
            let timesteps: Vec<_> = schedule.points[..schedule.len()].iter().map(|point| point.timestep).collect();
            // A curve's fractional timesteps come from logarithms of single precision.
            let limit = if variant.curved() { 1e-6 } else { 0.0 };
            assert_relative(&format!("{what}.timesteps"), &timesteps, &wanted, limit);
            let sigmas: Vec<_> = schedule.points.iter().map(|point| point.sigma).collect();
            match listed("sigmas") {
                Some(wanted) => {
                    let mut wanted = wanted;
                    let last = wanted.pop().unwrap();
                    let mut wanted = whole_steps(wanted, variant.is_heun());
                    wanted.push(last);
                    assert_relative(
                        &format!("{what}.sigmas"),
                        &sigmas,
                        &wanted,
                        if variant.curved() { 1e-5 } else { 1e-6 },
                    );
                }
                // DDIM keeps alphas instead.
                None => {
                    let sigma = |t: &f64| (1.0 / alphas[*t as usize] - 1.0).sqrt();
                    let wanted: Vec<_> = timesteps.iter().map(sigma).collect();
                    assert_relative(&format!("{what} by alphas"), &sigmas[..n], &wanted, 1e-6);
                    let last = if variant.config.set_alpha_to_one == Some(false) { sigma(&0.0) } else { 0.0 };
                    assert!((sigmas[n] - last).abs() <= 1e-6 * last, "{what}: ends at {}", sigmas[n]);
                }
            }
            let mut scale = schedule.initial_scale();
            if schedule.preserving {
                scale *= preserving(sigmas[0]);
            }
            let limit = if variant.curved() { 1e-5 } else { 1e-6 };
            assert_relative(&format!("{what}.init_noise_sigma"), &[scale], &listed("init_noise_sigma").unwrap(), limit);
        }
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
        let got: Vec<_> = betas.alphas_cumprod(0.0).into_iter().map(f64::from).collect();
        assert_relative("alphas_cumprod", &got, &values(set.get("alphas_cumprod")), 1e-6);
        compared += 1;
    }
    assert!(compared > 0);
}

/// The factor from our scale to the variance-preserving one.
fn preserving(sigma: f64) -> f64 {
    1.0 / (sigma * sigma + 1.0).sqrt()
}

/// A network that says what was recorded, call by call, and remembers what it was shown.
struct Replay {
    answers: Vec<Tensor>,
    shown: RefCell<Vec<(Tensor, f64)>>,
}

impl Replay {
    fn new(set: &Tensors, name: &str) -> Self {
        let answers: Vec<_> = (0..).map_while(|i| set.find(&format!("{name}.{i}")).cloned()).collect();
        assert!(!answers.is_empty(), "no recorded `{name}`");
        Self { answers, shown: RefCell::default() }
    }

    /// The same network from a later call on.
    fn from_call(&self, first: usize) -> Self {
        Self { answers: self.answers[first..].to_vec(), shown: RefCell::default() }
    }

    fn calls(&self) -> usize {
        self.shown.borrow().len()
    }
}

impl Network for Replay {
    fn predict(&self, x_in: &Tensor, timestep: f64) -> candle_core::Result<Tensor> {
        let call = self.calls();
        self.shown.borrow_mut().push((x_in.clone(), timestep));
        self.answers.get(call).cloned().ok_or_else(|| Error::Msg(format!("call {call} was not recorded")))
    }
}

/// A recorded run of one variant, in the reference's scale.
struct Recorded<'a> {
    set: &'a Tensors,
    variant: &'a Variant,
    schedule: Schedule,
    key: String,
    replay: Replay,
}

impl<'a> Recorded<'a> {
    fn new(set: &'a Tensors, variant: &'a Variant, n: usize) -> Self {
        let key = format!("{}.{n}", variant.name);
        let replay = Replay::new(set, &format!("{key}.out"));
        Self { set, variant, schedule: variant.schedule(n), key, replay }
    }

    /// The call of the network at which a whole step begins.
    fn first_call(&self, step: usize) -> usize {
        if self.variant.is_heun() { 2 * step } else { step }
    }

    /// The latent after so many whole steps.
    fn latent(&self, steps: usize) -> &Tensor {
        let last_call = match steps {
            0 => return self.set.get(&format!("{}.start", self.key)),
            steps => (self.first_call(steps) - 1).min(self.replay.answers.len() - 1),
        };
        self.set.get(&format!("{}.step.{last_call}", self.key))
    }

    /// The factor from our scale to the recorded one at a point.
    fn scale(&self, index: usize) -> f64 {
        if self.schedule.preserving { preserving(self.schedule.points[index].sigma) } else { 1.0 }
    }

    /// The latent after so many whole steps, in our scale.
    fn ours(&self, steps: usize) -> Tensor {
        self.latent(steps).affine(1.0 / self.scale(steps), 0.0).unwrap()
    }

    fn run(
        &self,
        replay: &Replay,
        state: State,
        stop: usize,
        noise: &mut NoiseSource,
        mut each: impl FnMut(&Done<'_>),
    ) -> State {
        let model = Predictor { network: replay, prediction: self.schedule.prediction };
        let schedule = self.schedule.clone().stopping_at(stop);
        (self.variant.sampler.run)(&model, state, &schedule, noise, &mut |done| {
            each(&done);
            Ok(())
        })
        .unwrap()
    }
}

/// The generator that all runs of the set were recorded with.
fn recorded_noise() -> NoiseSource {
    NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, reference::seed() % (1 << 31))
}

fn each_trajectory(check: impl Fn(&Recorded<'_>)) {
    let set = reference::tensors("schedulers/trajectories");
    for (variant, counts) in variants(&reference::facts("schedulers/trajectories"), &set, "start") {
        for n in counts {
            check(&Recorded::new(&set, &variant, n));
        }
    }
}

#[test]
fn every_single_step_is_diffusers() {
    each_trajectory(|run| {
        let mut noise = recorded_noise();
        let mut history = Vec::new();
        for step in 0..run.schedule.len() {
            let state = State { x: run.ours(step), index: step, history };
            let replay = run.replay.from_call(run.first_call(step));
            let after = run.run(&replay, state, step + 1, &mut noise, |_| {});
            history = after.history;
            let wanted = run.latent(step + 1);
            let got = (after.x * run.scale(step + 1)).unwrap();
            // From sigma 4000 to 3 the rounding of the larger latent shows.
            let limit = STEP * std_dev(wanted).max(std_dev(run.latent(step)));
            assert_close(&format!("{}, step {step}", run.key), &got, wanted, limit);
        }
    });
}

#[test]
fn whole_runs_are_diffusers() {
    each_trajectory(|run| {
        let mut told = 0;
        let start = State::new(run.ours(0), 0);
        let end = run.run(&run.replay, start, usize::MAX, &mut recorded_noise(), |done| {
            told += 1;
            assert_eq!(done.state.index, told);
            let (got, wanted) = ((&done.state.x * run.scale(told)).unwrap(), run.latent(told));
            assert_close(&format!("{}, after step {told}", run.key), &got, wanted, RUN * std_dev(wanted));
        });
        assert_eq!((told, end.index), (run.schedule.len(), run.schedule.len()));
        assert_eq!(run.replay.calls(), run.replay.answers.len(), "{}: calls of the network", run.key);
        let wanted = run.latent(told);
        assert_close(
            &format!("{}, finished", run.key),
            &run.schedule.finish(&end.x).unwrap(),
            wanted,
            RUN * std_dev(wanted),
        );
    });
}

#[test]
fn the_network_is_shown_what_diffusers_shows_it() {
    let tables = reference::tensors("schedulers/tables");
    each_trajectory(|run| {
        run.run(&run.replay, State::new(run.ours(0), 0), usize::MAX, &mut recorded_noise(), |_| {});
        let shown = run.replay.shown.borrow();
        let wanted = run.set.get(&format!("{}.scaled_input.0", run.key));
        assert_close(&format!("{}, first input", run.key), &shown[0].0, wanted, STEP * std_dev(wanted));
        let timesteps: Vec<_> = shown.iter().map(|(_, timestep)| *timestep).collect();
        let wanted = values(tables.get(&format!("{}.timesteps", run.key)));
        assert_relative(
            &format!("{}, timesteps", run.key),
            &timesteps,
            &wanted,
            if run.variant.curved() { 1e-6 } else { 0.0 },
        );
    });
}

#[test]
fn heun_looks_ahead_where_diffusers_does() {
    let mut compared = 0;
    let compared_cell = RefCell::new(&mut compared);
    each_trajectory(|run| {
        if !run.variant.is_heun() {
            return;
        }
        run.run(&run.replay, State::new(run.ours(0), 0), usize::MAX, &mut recorded_noise(), |_| {});
        for (call, (x_in, _)) in run.replay.shown.borrow().iter().enumerate().filter(|(call, _)| call % 2 == 1) {
            let wanted = run.set.get(&format!("{}.step.{}", run.key, call - 1));
            let sigma = run.schedule.points[call.div_ceil(2)].sigma;
            let ahead = (x_in / preserving(sigma)).unwrap();
            assert_close(&format!("{}, call {call}", run.key), &ahead, wanted, RUN * std_dev(wanted));
            **compared_cell.borrow_mut() += 1;
        }
    });
    assert!(compared > 0, "the set holds no run of Heun's method");
}

#[test]
fn step_noise_is_what_diffusers_drew() {
    let mut compared = 0;
    let compared_cell = RefCell::new(&mut compared);
    each_trajectory(|run| {
        let drawn: Vec<_> = (0..).map_while(|i| run.set.find(&format!("{}.noise.{i}", run.key))).collect();
        let expected = if run.variant.sampler.stochastic { run.schedule.len() } else { 0 };
        assert_eq!(drawn.len(), expected, "{}: how many draws", run.key);
        let mut noise = recorded_noise();
        for (i, wanted) in drawn.into_iter().enumerate() {
            assert_close(&format!("{}.noise.{i}", run.key), &noise.draw(wanted.shape()).unwrap(), wanted, 1e-6);
            **compared_cell.borrow_mut() += 1;
        }
    });
    assert!(compared > 0, "the set holds no stochastic run");
}

#[test]
fn added_noise_is_diffusers() {
    let set = reference::tensors("schedulers/trajectories");
    for (variant, counts) in variants(&reference::facts("schedulers/trajectories"), &set, "start") {
        let part = |part: &str| set.get(&format!("{}.add_noise.{part}", variant.name));
        // Recorded with the fewest steps, at the second timestep.
        let schedule = variant.schedule(*counts.iter().min().unwrap());
        let mut got = schedule.noised(part("x0"), part("eps"), 1).unwrap();
        if schedule.preserving {
            got = (got * preserving(schedule.points[1].sigma)).unwrap();
        }
        assert_close(&format!("{}.add_noise", variant.name), &got, part("result"), STEP * std_dev(part("result")));
    }
}

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
    let Some(variant) = Variant::read(name, &facts["scheduler"]) else {
        return false;
    };
    if call.get("mask_image").is_some() {
        return false; // inpainting mixes pictures between steps
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
            assert_close(&format!("{name}: first latent"), &schedule.initial(&got).unwrap(), &x, 1e-5 * std_dev(&x));
        }
    }
    let end = (variant.sampler.run)(&model, State::new(x, start), &schedule, &mut noise, &mut |done| {
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
    });
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

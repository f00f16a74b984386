//! Runs with given answers of the network, held against the reference after every step.

use std::cell::RefCell;

use candle_core::Tensor;
use darkroom_models::sampling::{Done, Given, NoiseDevice, NoiseMode, NoiseSource, Predictor, Schedule, State};
use darkroom_tests::reference::{self, Tensors, assert_close, std_dev, values};

use super::{RUN, Replay, STEP, Variant, assert_relative, preserving, variants};

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
        self.variant.first_call(step)
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
        let mut on_step = |done: Done<'_>| {
            each(&done);
            Ok(())
        };
        let given = Given { model: &model, schedule: &schedule, noise, on_step: &mut on_step };
        (self.variant.sampler.run)(given, state).unwrap()
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
            let replay = run.replay.starting_at(run.first_call(step));
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
            // Between trained timesteps logarithms of single precision tell them.
            match (run.variant.looks_half_way(), run.variant.curved()) {
                (true, _) => 1e-4,
                (_, true) => 1e-6,
                _ => 0.0,
            },
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
        let expected = match run.variant.sampler.name {
            "dpm_2_ancestral" | "lcm" | "tcd" => run.schedule.len() - 1,
            _ if run.variant.sampler.stochastic => run.schedule.len(),
            _ => 0,
        };
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

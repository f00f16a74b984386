//! What must hold for every sampler and every schedule.

use std::collections::HashMap;

use candle_core::{Device, Error, Result, Tensor};

use super::*;

/// A denoiser in closed form, without straight lines.
struct Toy;

impl Denoiser for Toy {
    fn denoise(&self, x: &Tensor, at: Point) -> Result<Tensor> {
        let square = 1.0 + at.sigma * at.sigma;
        (x / square)? + (x.affine(3.0, 0.0)?.sin()? * (0.2 * at.sigma / square))?
    }
}

fn spec(rules: Rules) -> ScheduleSpec {
    let text = r#"{"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
        "timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": false}"#;
    SchedulerConfig::from_json(text).unwrap().spec(rules).unwrap()
}

fn schedule(rules: Rules, table: Table, steps: usize) -> Schedule {
    spec(rules).with(table).schedule(steps).unwrap()
}

/// The points a sampler walks over.
fn way(info: &SamplerInfo, table: Table, steps: usize) -> Schedule {
    info.lay(schedule(info.rules, table, steps))
}

/// A schedule of at most as many steps as the sampler's rules allow.
fn longest(info: &SamplerInfo, table: Table, steps: usize) -> Schedule {
    let spec = spec(info.rules);
    let distilled = matches!(spec.with(table).spacing, Spacing::Distilled { .. });
    info.lay(info.schedule(&spec, table, if distilled { steps.min(50) } else { steps }).unwrap())
}

fn noise() -> NoiseSource {
    NoiseSource::new(NoiseMode::PerImage, NoiseDevice::Cpu, 11).with_eta(0.7)
}

fn start(schedule: &Schedule, noise: &mut NoiseSource, images: usize) -> State {
    let first = noise.initial((images, 4, 3, 5)).unwrap();
    State::new(schedule.initial(&first).unwrap(), 0)
}

fn bits(x: &Tensor) -> Vec<u32> {
    let values: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

/// Walks to the end.
fn run(info: &SamplerInfo, schedule: &Schedule, state: State, noise: &mut NoiseSource) -> State {
    (info.run)(Given { model: &Toy, schedule, noise, on_step: &mut |_| Ok(()) }, state).unwrap()
}

#[test]
fn a_run_stopped_after_any_step_goes_on_to_the_same_bits() {
    let modes = [NoiseMode::PerImage, NoiseMode::Comfyui];
    for (info, mode) in SAMPLERS.iter().flat_map(|info| modes.map(|mode| (info, mode))) {
        let schedule = way(info, Table::Model, 6);
        let mut noise = NoiseSource::new(mode, NoiseDevice::Cpu, 11).with_eta(0.7);
        let mut kept = Vec::new();
        let first = start(&schedule, &mut noise, 2);
        let mut on_step = |done: Done<'_>| {
            let source = serde_json::to_string(done.noise).unwrap();
            kept.push((done.state.index, done.state.tensors(), source));
            Ok(())
        };
        let given = Given { model: &Toy, schedule: &schedule, noise: &mut noise, on_step: &mut on_step };
        let whole = (info.run)(given, first);
        let whole = bits(&whole.unwrap().x);
        assert!(kept.len() == 6 || info.path == Path::Found && kept.len() > 1, "{}: {} steps", info.name, kept.len());
        for (index, tensors, source) in kept {
            let state = State::from_tensors(index, tensors).unwrap();
            let mut source = serde_json::from_str(&source).unwrap();
            let resumed = run(info, &schedule, state, &mut source);
            assert_eq!(bits(&resumed.x), whole, "{} from step {index}, {mode:?}", info.name);
        }
    }
}

/// A network whose answers bend.
fn bent(x: &Tensor, timestep: f64) -> Result<Tensor> {
    x.affine(0.6, 0.0)? + (x.affine(2.0, 0.0)?.sin()? * (0.1 + timestep * 1e-4))?
}

/// What is kept of a step: its number, the tensors, and the noise source as text.
type Kept = (usize, HashMap<String, Tensor>, String);

/// Walks with a step cache before [`bent`], from what was kept of the way; keeps what each step left.
fn run_cached(
    info: &SamplerInfo,
    schedule: &Schedule,
    (state, noise): (State, &mut NoiseSource),
    (past, threshold): (&HashMap<String, Tensor>, f64),
) -> (State, Tally, Vec<Kept>) {
    let place = Place::before(schedule.len());
    place.reach(state.index);
    let patience = Patience { threshold, interval: Interval { start: 0.1, end: 0.9 } };
    let cache = StepCache::new(&bent, &place, patience, past).unwrap();
    let mut kept = Vec::new();
    let mut on_step = |done: Done<'_>| {
        place.reach(done.state.index);
        let mut tensors = done.state.tensors();
        tensors.extend(cache.tensors()?);
        kept.push((done.state.index, tensors, serde_json::to_string(done.noise).unwrap()));
        Ok(())
    };
    let model = &Predictor { network: &cache, prediction: schedule.prediction };
    let end = (info.run)(Given { model, schedule, noise, on_step: &mut on_step }, state).unwrap();
    (end, cache.tally(), kept)
}

#[test]
fn a_cached_run_goes_on_to_the_same_bits_and_saves_what_it_says() {
    let mut saved = 0;
    for info in SAMPLERS {
        let schedule = way(info, Table::Karras, 12);
        let mut source = noise();
        let first = start(&schedule, &mut source, 2);
        let begin = |source: &NoiseSource| (first.clone(), source.clone());
        let (state, mut fresh) = begin(&source);
        let (whole, tally, kept) = run_cached(info, &schedule, (state, &mut fresh), (&HashMap::new(), 0.3));
        saved += usize::from(tally.answered > 0);
        for (index, tensors, noise) in kept {
            let state = State::from_tensors(index, tensors.clone()).unwrap();
            let mut noise = serde_json::from_str(&noise).unwrap();
            let (resumed, again, _) = run_cached(info, &schedule, (state, &mut noise), (&tensors, 0.3));
            assert_eq!(bits(&resumed.x), bits(&whole.x), "{} from step {index}", info.name);
            assert_eq!(again, tally, "{} from step {index}", info.name);
        }
        // Without a threshold it is as if there were none.
        let (state, mut fresh) = begin(&source);
        let (none, tally, _) = run_cached(info, &schedule, (state, &mut fresh), (&HashMap::new(), 0.0));
        let plain = &Predictor { network: &bent, prediction: schedule.prediction };
        let (state, mut fresh) = begin(&source);
        let given = Given { model: plain, schedule: &schedule, noise: &mut fresh, on_step: &mut |_| Ok(()) };
        assert_eq!(bits(&none.x), bits(&(info.run)(given, state).unwrap().x), "{}", info.name);
        assert!(tally.answered == 0 && tally.asked >= schedule.len().min(2), "{}: {tally:?}", info.name);
    }
    assert!(saved > SAMPLERS.len() / 2, "it answered under {saved} samplers alone");
}

#[test]
fn an_early_stop_hands_over_what_the_rest_goes_on_from() {
    for info in SAMPLERS.iter().filter(|info| info.path != Path::Found) {
        let schedule = way(info, Table::Karras, 7);
        let mut source = noise();
        let first = start(&schedule, &mut source, 1);
        let whole = run(info, &schedule, first.clone(), &mut source.clone());
        let half = run(info, &schedule.clone().stopping_at(3), first, &mut source);
        assert_eq!(half.index, 3, "{}", info.name);
        assert_eq!(bits(&run(info, &schedule, half, &mut source).x), bits(&whole.x), "{}", info.name);
    }
}

#[test]
fn a_refusal_of_the_watcher_stops_the_run_at_once() {
    for info in SAMPLERS {
        let schedule = way(info, Table::Model, 6);
        let mut noise = noise();
        let state = start(&schedule, &mut noise, 1);
        let mut told = 0;
        let mut on_step = |_: Done<'_>| {
            told += 1;
            if told == 2 { Err(Error::Msg("stopped".to_owned())) } else { Ok(()) }
        };
        let given = Given { model: &Toy, schedule: &schedule, noise: &mut noise, on_step: &mut on_step };
        let end = (info.run)(given, state);
        assert_eq!((told, end.unwrap_err().to_string().as_str()), (2, "stopped"), "{}", info.name);
    }
}

#[test]
fn what_the_watcher_puts_in_is_what_the_next_step_sees() {
    let schedule = schedule(Rules::Euler, Table::Model, 4);
    let mut noise = noise();
    let state = start(&schedule, &mut noise, 1);
    let mut on_step = |done: Done<'_>| {
        done.state.x = done.state.x.zeros_like()?;
        Ok(())
    };
    let end = euler(Given { model: &Toy, schedule: &schedule, noise: &mut noise, on_step: &mut on_step }, state);
    assert!(bits(&end.unwrap().x).iter().all(|bits| *bits == 0));
}

#[test]
fn a_picture_does_not_depend_on_the_batch_it_is_in() {
    // One that finds its steps takes those that are short enough for all pictures at once.
    for info in SAMPLERS.iter().filter(|info| info.path != Path::Found) {
        let schedule = way(info, Table::Model, 5);
        let (mut of_three, mut of_one) = (noise(), noise());
        let three = start(&schedule, &mut of_three, 3);
        let one = start(&schedule, &mut of_one, 1);
        let three = run(info, &schedule, three, &mut of_three).x.narrow(0, 0, 1).unwrap();
        assert_eq!(bits(&three), bits(&run(info, &schedule, one, &mut of_one).x), "{}", info.name);
    }
}

#[test]
fn samplers_that_draw_say_so() {
    for info in SAMPLERS {
        let schedule = way(info, Table::Model, 4);
        let ends = [1, 2].map(|seed| {
            let mut noise = NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, seed);
            let x = Tensor::ones((1, 4, 2, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
            bits(&run(info, &schedule, State::new(x, 0), &mut noise).x)
        });
        assert_eq!(ends[0] != ends[1], info.stochastic, "{}", info.name);
    }
}

/// The exact answer for pictures spread as a normal of deviation `spread`: x falls with sqrt(sigma² + spread²).
struct Normal {
    spread: f64,
}

impl Denoiser for Normal {
    fn denoise(&self, x: &Tensor, at: Point) -> Result<Tensor> {
        let square = self.spread * self.spread;
        x.affine(square / (square + at.sigma * at.sigma), 0.0)
    }
}

/// Walks towards the known answer.
fn approach(info: &SamplerInfo, schedule: &Schedule, state: State, noise: &mut NoiseSource) -> Tensor {
    let model = &Normal { spread: 0.8 };
    (info.run)(Given { model, schedule, noise, on_step: &mut |_| Ok(()) }, state).unwrap().x
}

#[test]
fn every_sampler_converges_to_the_known_answer() {
    for info in SAMPLERS.iter().filter(|info| !info.stochastic) {
        let mut schedule = schedule(info.rules, Table::Karras, 400);
        schedule.points.last_mut().unwrap().sigma = 0.0;
        let schedule = info.lay(schedule);
        let x = Tensor::new(&[[3.0_f32]], &Device::Cpu).unwrap();
        let mut noise = NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, 0);
        let end = approach(info, &schedule, State::new(x, 0), &mut noise);
        let sigma = schedule.points[0].sigma;
        let wanted = 3.0 * 0.8 / (sigma * sigma + 0.64).sqrt();
        let got = f64::from(end.to_vec2::<f32>().unwrap()[0][0]);
        assert!((got / wanted - 1.0).abs() < 0.02, "{}: {got} is not {wanted}", info.name);
    }
}

#[test]
fn every_schedule_has_its_steps_and_only_falls() {
    for (rules, (name, _, table)) in RULES.into_iter().flat_map(|rules| TABLES.iter().map(move |t| (rules, t))) {
        for steps in [1, 2, 3, 7, 30, 61, 103, 500, 999] {
            let schedule = schedule(rules, *table, steps);
            let what = format!("{rules:?} {name} {steps}");
            let counts_otherwise = matches!(table, Table::DdimUniform | Table::ComfyuiBeta)
                || (rules, *table) == (Rules::Comfyui, Table::Beta);
            assert!(schedule.len() == steps || counts_otherwise && !schedule.is_empty(), "{what}");
            assert_eq!((schedule.points.len(), schedule.stop), (schedule.len() + 1, schedule.len()), "{what}");
            for step in schedule.steps_from(0) {
                let (now, next) = (step.now, step.next);
                assert!(now.sigma.is_finite() && now.sigma > 0.0, "{what}: {now:?}");
                assert!(next.sigma <= now.sigma && next.sigma >= 0.0, "{what}: {now:?} {next:?}");
                assert!((0.0..=1000.0).contains(&now.timestep), "{what}: {now:?}");
            }
            assert!(schedule.initial_scale() > 0.0 && schedule.initial_scale().is_finite(), "{what}");
        }
    }
}

const RULES: [Rules; 5] = [Rules::Euler, Rules::Ddim, Rules::Ddpm, Rules::Dpm, Rules::Comfyui];

#[test]
fn every_sampler_stays_finite_on_every_schedule() {
    for info in SAMPLERS {
        for (name, _, table) in TABLES {
            for steps in [1, 2, 16, 999] {
                let schedule = longest(info, *table, steps);
                let mut noise = noise();
                let state = start(&schedule, &mut noise, 1);
                let end = run(info, &schedule, state, &mut noise);
                let values: Vec<f32> = end.x.flatten_all().unwrap().to_vec1().unwrap();
                assert!(values.iter().all(|v| v.is_finite()), "{} {name} {steps}", info.name);
            }
        }
    }
}

#[test]
fn impossible_numbers_of_steps_are_refused_with_the_range() {
    let config = SchedulerConfig::from_json(r#"{"timestep_spacing": "leading"}"#).unwrap();
    for (rules, steps, wanted) in [
        (Rules::Euler, 0, "`steps` is 0, but must be 1 to 1000"),
        (Rules::Euler, 1_000_000_000, "`steps` is 1000000000, but must be 1 to 1000"),
        (Rules::Dpm, 1000, "must be 1 to 999"),
    ] {
        let fault = Schedule::from_config(&config, rules, Table::Model, steps).unwrap_err();
        assert!(fault.to_string().contains(wanted), "{fault}");
    }
}

#[test]
fn names_find_what_they_name_and_only_that() {
    for info in SAMPLERS {
        assert_eq!(sampler(info.name).unwrap().name, info.name);
    }
    for (name, _, table) in TABLES {
        assert_eq!(Table::named(name), Ok(*table));
        assert_eq!(serde_json::to_string(table).unwrap(), format!("\"{name}\""));
    }
    assert!(sampler("plms").unwrap_err().to_string().contains("use `euler`, `euler_ancestral`"));
    assert!(Table::named("best").unwrap_err().to_string().contains("`karras`"));
}

const FLOW: &str = r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}"#;

#[test]
fn samplers_walk_flows_to_finite_ends_or_refuse_them() {
    let spec = SchedulerConfig::from_json(FLOW).unwrap().spec(Rules::Euler).unwrap();
    let mut walked = 0;
    for info in SAMPLERS {
        for table in [Table::Model, Table::Simple, Table::ComfyuiBeta] {
            let Ok(schedule) = info.schedule(&spec, table, 8).map(|schedule| info.lay(schedule)) else {
                assert!(info.check(&spec).unwrap_err().to_string().contains("`euler`"), "{}", info.name);
                continue;
            };
            let mut noise = noise();
            let state = start(&schedule, &mut noise, 1);
            let end = run(info, &schedule, state, &mut noise);
            let values: Vec<f32> = end.x.flatten_all().unwrap().to_vec1().unwrap();
            assert!(values.iter().all(|v| v.is_finite()), "{} {table:?}", info.name);
            walked += 1;
        }
    }
    assert!(walked > SAMPLERS.len());
}

#[test]
fn a_run_in_two_parts_with_the_noise_left_over_is_the_whole_run() {
    let whole = schedule(Rules::Euler, Table::Normal, 8);
    let first = whole.clone().part(0, 3, Leftover::Kept).unwrap();
    let second = whole.clone().part(3, 99, Leftover::Kept).unwrap();
    assert_eq!((first.stop, second.stop, second.points.last()), (3, 5, whole.points.last()));
    let info = sampler("euler").unwrap();
    let state = start(&whole, &mut noise(), 1);
    let end = run(info, &whole, state.clone(), &mut noise());
    let half = run(info, &first, state, &mut noise());
    let rest = run(info, &second, State::new(half.x, 0), &mut noise());
    assert_eq!(bits(&rest.x), bits(&end.x));
}

#[test]
fn a_part_that_leaves_nothing_over_ends_without_noise() {
    let part = schedule(Rules::Euler, Table::Normal, 8).part(2, 5, Leftover::Removed).unwrap();
    assert_eq!(part.points.last().unwrap().sigma, 0.0);
    let fault = schedule(Rules::Euler, Table::Normal, 8).part(5, 5, Leftover::Kept).unwrap_err();
    assert_eq!(fault.to_string(), "`start_step` is 5, but must be below `end_step`, 5 of 8 steps");
}

#[test]
fn the_end_of_a_longer_way_is_its_last_steps() {
    let (info, spec) = (sampler("euler").unwrap(), spec(Rules::Euler));
    let half = info.schedule_of_denoise(&spec, Table::Normal, (10, 0.5)).unwrap();
    assert_eq!(half.points, schedule(Rules::Euler, Table::Normal, 20).points[10..]);
    assert_eq!((half.stop, half.start), (10, Start::SigmaMax));
    assert!(info.schedule_of_denoise(&spec, Table::Normal, (10, 0.0)).is_err());
}

#[test]
fn written_sigmas_are_walked_as_they_are() {
    let spec = spec(Rules::Euler);
    let schedule = spec.schedule_over(&[14.7, 3.0, 0.5, 0.0]).unwrap();
    assert_eq!(schedule.points.iter().map(|point| point.sigma).collect::<Vec<_>>(), [14.7, 3.0, 0.5, 0.0]);
    assert!(schedule.points[0].timestep > schedule.points[1].timestep);
    for list in [&[][..], &[1.0], &[1.0, 1.0], &[0.5, 1.0], &[1.0, -0.5], &[f64::NAN, 0.0]] {
        assert!(spec.schedule_over(list).unwrap_err().to_string().contains("each smaller"), "{list:?}");
    }
    let flow = SchedulerConfig::from_json(FLOW).unwrap().spec(Rules::Euler).unwrap();
    assert!(flow.schedule_over(&[1.5, 0.0]).unwrap_err().to_string().contains("at most 1"));
}

// Methods that remember begin with steps of lower order, and never quite make up for them.
#[test]
fn solvers_of_higher_order_gain_more_from_more_steps() {
    let gap = |name: &str, steps: usize| {
        let info = sampler(name).unwrap();
        let spec = spec(Rules::Euler);
        // Even in lambda and left before the end, so that every step counts alike.
        let schedule = info.schedule(&spec, Table::ComfyuiExponential, steps).unwrap();
        let schedule = info.lay(schedule.part(0, steps - 1, Leftover::Kept).unwrap());
        let (first, last) = (schedule.points[0].sigma, schedule.points.last().unwrap().sigma);
        let x = Tensor::new(&[3.0_f64], &Device::Cpu).unwrap();
        let mut noise = NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, 0).with_eta(0.0);
        let end = approach(info, &schedule, State::new(x, 0), &mut noise);
        let exact = 3.0 * ((last * last + 0.64) / (first * first + 0.64)).sqrt();
        (end.to_vec1::<f64>().unwrap()[0] / exact - 1.0).abs()
    };
    for (name, order) in [
        ("euler", 1),
        ("heun", 2),
        ("dpm_2_ancestral", 2),
        ("dpmpp_2m_sde", 2),
        ("dpmpp_sde", 2),
        ("seeds_2", 2),
        ("dpmpp_3m_sde", 2),
        ("seeds_3", 3),
        ("sa_solver", 2),
        ("unipc", 2),
        ("gradient_estimation", 1),
        ("dpm_fast", 1), // of third order but for its last step
        ("euler_cfg_pp", 1),
        ("dpmpp_2m_cfg_pp", 2),
        ("dpmpp_2s_ancestral_cfg_pp", 2),
        ("res_multistep_cfg_pp", 2),
    ] {
        let gain = gap(name, 41) / gap(name, 81);
        let least = 0.8 * f64::from(1 << order);
        assert!(gain > least, "{name}: twice the steps, {gain:.2} times as near");
    }
}

#[test]
fn looks_are_laid_between_the_ends_that_were_asked_for() {
    let info = sampler("dpm_fast").unwrap();
    for steps in 2..20 {
        let plain = schedule(Rules::Euler, Table::Karras, steps);
        let laid = info.lay(plain.clone());
        assert_eq!((laid.len(), laid.stop), (steps, steps));
        assert_eq!(laid.points.first(), plain.points.first());
        assert_eq!(laid.points.last(), plain.points.get(steps - 1));
        assert!(laid.points.windows(2).all(|pair| pair[1].sigma < pair[0].sigma), "{steps}: {:?}", laid.points);
    }
}

#[test]
fn found_steps_are_told_as_points_passed() {
    let info = sampler("dpm_adaptive").unwrap();
    let schedule = way(info, Table::Karras, 8);
    let mut noise = noise();
    let state = start(&schedule, &mut noise, 1);
    let mut told = Vec::new();
    let mut on_step = |done: Done<'_>| {
        told.push((done.state.index, done.step.next.sigma));
        Ok(())
    };
    let given = Given { model: &Toy, schedule: &schedule, noise: &mut noise, on_step: &mut on_step };
    (info.run)(given, state).unwrap();
    for pair in told.windows(2) {
        assert!(pair[0].0 <= pair[1].0 && pair[0].1 > pair[1].1, "{told:?}");
    }
    for (index, sigma) in &told[..told.len() - 1] {
        assert!(schedule.points[*index].sigma >= *sigma && schedule.points[index + 1].sigma < *sigma, "{told:?}");
    }
    assert_eq!(told.last().unwrap().0, schedule.len());
}

#[test]
fn a_latent_that_is_not_finite_ends_a_search_for_steps() {
    struct Broken;
    impl Denoiser for Broken {
        fn denoise(&self, x: &Tensor, _: Point) -> Result<Tensor> {
            x.affine(f64::NAN, 0.0)
        }
    }
    let info = sampler("dpm_adaptive").unwrap();
    let schedule = way(info, Table::Karras, 8);
    let mut noise = noise();
    let state = start(&schedule, &mut noise, 1);
    let given = Given { model: &Broken, schedule: &schedule, noise: &mut noise, on_step: &mut |_| Ok(()) };
    assert!((info.run)(given, state).unwrap_err().to_string().contains("no longer finite"));
}

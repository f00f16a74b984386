//! What must hold for every sampler and every schedule.

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

fn schedule(rules: Rules, table: Table, steps: usize) -> Schedule {
    let text = r#"{"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
        "timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": false}"#;
    Schedule::from_config(&SchedulerConfig::from_json(text).unwrap(), rules, table, steps).unwrap()
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

/// Walks to the end and returns the last latent.
fn run(info: &SamplerInfo, schedule: &Schedule, state: State, noise: &mut NoiseSource) -> State {
    (info.run)(&Toy, state, schedule, noise, &mut |_| Ok(())).unwrap()
}

#[test]
fn a_run_stopped_after_any_step_goes_on_to_the_same_bits() {
    for info in SAMPLERS {
        let schedule = schedule(info.rules, Table::Model, 6);
        let mut noise = noise();
        let mut kept = Vec::new();
        let first = start(&schedule, &mut noise, 2);
        let whole = (info.run)(&Toy, first, &schedule, &mut noise, &mut |done| {
            let source = serde_json::to_string(done.noise).unwrap();
            kept.push((done.state.index, done.state.tensors(), source));
            Ok(())
        });
        let whole = bits(&whole.unwrap().x);
        assert_eq!(kept.len(), 6, "{}", info.name);
        for (index, tensors, source) in kept {
            let state = State::from_tensors(index, tensors).unwrap();
            let mut source = serde_json::from_str(&source).unwrap();
            let resumed = run(info, &schedule, state, &mut source);
            assert_eq!(bits(&resumed.x), whole, "{} from step {index}", info.name);
        }
    }
}

#[test]
fn an_early_stop_hands_over_what_the_rest_goes_on_from() {
    for info in SAMPLERS {
        let schedule = schedule(info.rules, Table::Karras, 7);
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
        let schedule = schedule(info.rules, Table::Model, 6);
        let mut noise = noise();
        let state = start(&schedule, &mut noise, 1);
        let mut told = 0;
        let end = (info.run)(&Toy, state, &schedule, &mut noise, &mut |_| {
            told += 1;
            if told == 2 { Err(Error::Msg("stopped".to_owned())) } else { Ok(()) }
        });
        assert_eq!((told, end.unwrap_err().to_string().as_str()), (2, "stopped"), "{}", info.name);
    }
}

#[test]
fn what_the_watcher_puts_in_is_what_the_next_step_sees() {
    let schedule = schedule(Rules::Euler, Table::Model, 4);
    let mut noise = noise();
    let state = start(&schedule, &mut noise, 1);
    let end = euler(&Toy, state, &schedule, &mut noise, &mut |done| {
        done.state.x = done.state.x.zeros_like()?;
        Ok(())
    });
    assert!(bits(&end.unwrap().x).iter().all(|bits| *bits == 0));
}

#[test]
fn a_picture_does_not_depend_on_the_batch_it_is_in() {
    for info in SAMPLERS {
        let schedule = schedule(info.rules, Table::Model, 5);
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
        let schedule = schedule(info.rules, Table::Model, 4);
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

#[test]
fn every_sampler_converges_to_the_known_answer() {
    for info in SAMPLERS.iter().filter(|info| !info.stochastic) {
        let mut schedule = schedule(info.rules, Table::Karras, 400);
        schedule.points.last_mut().unwrap().sigma = 0.0;
        let x = Tensor::new(&[[3.0_f32]], &Device::Cpu).unwrap();
        let mut noise = NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, 0);
        let end = (info.run)(&Normal { spread: 0.8 }, State::new(x, 0), &schedule, &mut noise, &mut |_| Ok(()));
        let sigma = schedule.points[0].sigma;
        let wanted = 3.0 * 0.8 / (sigma * sigma + 0.64).sqrt();
        let got = f64::from(end.unwrap().x.to_vec2::<f32>().unwrap()[0][0]);
        assert!((got / wanted - 1.0).abs() < 0.02, "{}: {got} is not {wanted}", info.name);
    }
}

#[test]
fn every_schedule_has_its_steps_and_only_falls() {
    for (rules, (name, _, table)) in RULES.into_iter().flat_map(|rules| TABLES.iter().map(move |t| (rules, t))) {
        for steps in [1, 2, 3, 7, 30, 61, 103, 500, 999] {
            let schedule = schedule(rules, *table, steps);
            let what = format!("{rules:?} {name} {steps}");
            assert_eq!((schedule.len(), schedule.points.len(), schedule.stop), (steps, steps + 1, steps), "{what}");
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

const RULES: [Rules; 4] = [Rules::Euler, Rules::Ddim, Rules::Dpm, Rules::Comfyui];

#[test]
fn every_sampler_stays_finite_on_every_schedule() {
    for info in SAMPLERS {
        for (name, _, table) in TABLES {
            for steps in [1, 2, 16, 999] {
                let schedule = schedule(info.rules, *table, steps);
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

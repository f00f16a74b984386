//! Schedules and samplers against ComfyUI's own, which differ from diffusers' on purpose.
//!
//! Every table and every run of the files is compared; one of a name that we do not have is a failure.

use candle_core::Tensor;
use darkroom_models::rng::{BrownianTree, TorchCpu};
use darkroom_models::sampling::{
    Denoiser, Given, NoiseDevice, NoiseMode, NoiseSource, Point, Rules, SamplerInfo, ScheduleSpec, SchedulerConfig,
    Sides, State, Table, sampler,
};
use darkroom_tests::reference::{self, Tensors, max_abs, values};
use serde_json::Value;

/// Single precision in another order than theirs: reference/README.md of the set.
const TABLE: f64 = 1e-5;
/// A whole run, as a multiple of the largest value: likewise.
const RUN: f64 = 2e-4;
/// Noise of variance 1 between two sigmas: sums of normal numbers that agree to a unit in the last place.
const BROWNIAN: f64 = 5e-6;

/// ComfyUI's names of the schedules.
const TABLES: [(&str, Table); 9] = [
    ("simple", Table::Simple),
    ("sgm_uniform", Table::SgmUniform),
    ("normal", Table::Normal),
    ("karras", Table::ComfyuiKarras),
    ("exponential", Table::ComfyuiExponential),
    ("ddim_uniform", Table::DdimUniform),
    ("beta", Table::ComfyuiBeta),
    ("linear_quadratic", Table::LinearQuadratic),
    ("kl_optimal", Table::KlOptimal),
];

fn table(name: &str) -> Table {
    TABLES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("we have no schedule `{name}`")).1
}

/// The models of the files.
fn spec(model: &str) -> ScheduleSpec {
    const BETAS: &str = r#""beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012"#;
    let text = match model {
        "sdxl" => format!("{{{BETAS}}}"),
        "sdxl_v_zsnr" => format!(r#"{{{BETAS}, "prediction_type": "v_prediction", "rescale_betas_zero_snr": true}}"#),
        flow => {
            let shift = flow.strip_prefix("flow_shift_").unwrap_or_else(|| panic!("we have no model `{flow}`"));
            let shift = shift.strip_suffix("_mult_1").unwrap_or(shift); // told otherwise, but with the same sigmas
            format!(r#"{{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": {shift}}}"#)
        }
    };
    SchedulerConfig::from_json(&text).unwrap().spec(Rules::Euler).unwrap()
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap_or(f64::NAN)).collect()
}

fn assert_sigmas(what: &str, got: impl Iterator<Item = f64>, wanted: &[f64]) {
    let got: Vec<f64> = got.collect();
    assert_eq!(got.len(), wanted.len(), "{what}: how many");
    for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        // One step of `kl_optimal` divides 0 by 0 there; ours starts with all the noise.
        let fits = if wanted.is_nan() { got.is_finite() } else { (got - wanted).abs() <= TABLE * wanted };
        assert!(fits, "{what}, entry {i}: {got} is not {wanted}");
    }
}

#[test]
fn schedules_are_comfyuis() {
    let file = reference::json_at(&reference::own().join("comfyui/sigmas.json"));
    let tables = file["tables"].as_object().unwrap();
    let euler = sampler("euler").unwrap();
    for (name, wanted) in tables {
        let words: Vec<_> = name.split('/').collect();
        let (spec, table, steps) = (spec(words[0]), table(words[1]), words[2].parse().unwrap());
        let denoise = words.get(3).map_or(1.0, |word| word.strip_prefix("denoise_").unwrap().parse().unwrap());
        let schedule = euler.schedule_of_denoise(&spec, table, (steps, denoise)).unwrap();
        assert_eq!(schedule.stop, schedule.len(), "{name}");
        assert_sigmas(name, schedule.points.iter().map(|point| point.sigma), &numbers(wanted));
    }
    assert!(!tables.is_empty());
}

/// The denoiser of the runs, in closed form.
struct Toy;

impl Denoiser for Toy {
    fn denoise(&self, x: &Tensor, at: Point) -> candle_core::Result<Tensor> {
        let square = 1.0 + at.sigma * at.sigma;
        (x / square)? + x.affine(3.0, 0.0)?.sin()?.affine(0.2 * at.sigma / square, 0.0)?
    }

    fn denoise_sides(&self, x: &Tensor, at: Point) -> candle_core::Result<Sides> {
        let square = 1.0 + at.sigma * at.sigma;
        let negative = (x / square)? - x.affine(2.0, 0.0)?.cos()?.affine(0.1 * at.sigma / square, 0.0)?;
        Ok(Sides { guided: self.denoise(x, at)?, negative: negative? })
    }
}

/// A run of a file: `<sampler>/<model>/<schedule>/<steps>`, and the seed where noise is not listed.
struct Run<'a> {
    name: &'a str,
    info: &'static SamplerInfo,
    spec: ScheduleSpec,
    table: &'a str,
    steps: usize,
    sigmas: Vec<f64>,
    seed: Option<u64>,
}

fn runs(file: &Value) -> Vec<Run<'_>> {
    let runs = file["runs"].as_object().expect("the file lists its runs");
    assert!(!runs.is_empty());
    runs.iter()
        .map(|(name, facts)| {
            let words: Vec<_> = name.split('/').collect();
            let (info, spec, steps) = (sampler(words[0]).unwrap(), spec(words[1]), words[3].parse().unwrap());
            Run {
                name,
                info,
                spec,
                table: words[2],
                steps,
                sigmas: numbers(&facts["sigmas"]),
                seed: facts["seed"].as_u64(),
            }
        })
        .collect()
}

impl Run<'_> {
    /// Walks over the sigmas of the file and returns how far the end is from theirs, as a share of the largest value.
    fn gap(&self, first: &Tensor, wanted: &Tensor, noise: &mut NoiseSource) -> f64 {
        let schedule = self.info.lay(self.spec.schedule_over(&self.sigmas).unwrap());
        let state = State::new(first.affine(self.sigmas[0], 0.0).unwrap(), 0);
        let given = Given { model: &Toy, schedule: &schedule, noise, on_step: &mut |_| Ok(()) };
        let end = (self.info.run)(given, state).unwrap();
        max_abs(&end.x, wanted) / max_abs(wanted, &wanted.zeros_like().unwrap())
    }
}

fn json(name: &str) -> Value {
    reference::json_at(&reference::own().join(format!("comfyui/{name}.json")))
}

fn tensors(name: &str) -> Tensors {
    reference::tensors_at(&reference::own().join(format!("comfyui/{name}.safetensors")))
}

#[test]
fn samplers_count_their_steps_as_comfyui_does() {
    for run in runs(&json("samplers")) {
        let schedule = run.info.schedule(&run.spec, table(run.table), run.steps).unwrap();
        assert_sigmas(run.name, schedule.points.iter().map(|point| point.sigma), &run.sigmas);
    }
}

/// Every run of a file with the noise that the file lists, from one of its tensors.
fn assert_walks(file: &str, first: &Tensor, set: &Tensors) {
    let drawn: Vec<f32> = values(set.get("noise")).into_iter().map(|value| value as f32).collect();
    let facts = json(file);
    let gaps = runs(&facts).into_iter().map(|run| {
        let gap = run.gap(first, set.get(&format!("{}.x", run.name)), &mut NoiseSource::listed(drawn.clone()));
        (run.name.to_owned(), gap)
    });
    assert_near(gaps);
}

fn assert_near(gaps: impl Iterator<Item = (String, f64)>) {
    let mut gaps: Vec<_> = gaps.collect();
    gaps.sort_by(|a, b| b.1.total_cmp(&a.1));
    let far: Vec<_> = gaps.iter().filter(|(_, gap)| gap.is_nan() || *gap > RUN).collect();
    let tell = |(name, gap): &(String, f64)| format!("{name}: {gap:.1e} of the largest value");
    assert!(far.is_empty(), "{}", far.into_iter().map(tell).collect::<Vec<_>>().join("\n"));
}

#[test]
fn samplers_walk_as_comfyuis_do() {
    let set = tensors("samplers");
    let draws = set.get("noise");
    let last = draws.dim(0).unwrap() - 1;
    assert_walks("samplers", &draws.get(last).unwrap(), &set);
}

#[test]
fn later_samplers_walk_as_comfyuis_do() {
    let set = tensors("more");
    assert_walks("more", set.get("start"), &set);
}

#[test]
fn a_seed_walks_as_in_comfyui() {
    let (facts, set) = (json("seeds"), tensors("seeds"));
    let gaps = runs(&facts).into_iter().map(|run| {
        let seed = run.seed.expect("the runs name their seeds");
        let mut noise = NoiseSource::new(NoiseMode::Comfyui, NoiseDevice::Cpu, seed);
        (run.name.to_owned(), run.gap(set.get("start"), set.get(&format!("{}.x", run.name)), &mut noise))
    });
    assert_near(gaps);
}

#[test]
fn noise_between_sigmas_is_torchsdes() {
    let (facts, set) = (json("brownian"), tensors("brownian"));
    let cases = facts["cases"].as_object().unwrap();
    assert!(!cases.is_empty());
    for (name, case) in cases {
        let wanted = set.get(name);
        let seed = case["seed"].as_str().unwrap().parse().unwrap();
        let ends = numbers(&case["ends"]);
        let tree = BrownianTree::new(seed, ends[0], ends[1]);
        for (i, pair) in case["pairs"].as_array().unwrap().iter().enumerate() {
            let (pair, wanted) = (numbers(pair), values(&wanted.get(i).unwrap()));
            let randn = |seed, n| TorchCpu::new(u64::from(seed)).randn(n);
            let moved = tree.moved(wanted.len(), (pair[1], pair[0]), &randn);
            let unit = ((pair[0] - pair[1]) as f32).sqrt();
            let gap = moved.iter().zip(&wanted).map(|(moved, wanted)| (f64::from(-moved / unit) - wanted).abs());
            let gap = gap.fold(0.0, f64::max);
            assert!(gap <= BROWNIAN, "{name}, pair {i}: off by {gap:.1e}");
        }
    }
}

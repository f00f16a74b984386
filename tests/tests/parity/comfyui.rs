//! Schedules and samplers against ComfyUI's own, which differ from diffusers' on purpose.
//!
//! Every table and every run of the files is compared; one of a name that we do not have is a failure.

use candle_core::Tensor;
use darkroom_models::sampling::{
    Denoiser, NoiseSource, Point, Rules, SamplerInfo, ScheduleSpec, SchedulerConfig, State, Table, sampler,
};
use darkroom_tests::reference::{self, max_abs, values};
use serde_json::Value;

/// Single precision in another order than theirs: reference/README.md of the set.
const TABLE: f64 = 1e-5;
/// A whole run, as a multiple of the largest value: likewise.
const RUN: f64 = 2e-4;

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

/// The denoiser of the runs, in closed form: x / (1 + s²) + 0.2 · sin(3x) · s / (1 + s²).
struct Toy;

impl Denoiser for Toy {
    fn denoise(&self, x: &Tensor, at: Point) -> candle_core::Result<Tensor> {
        let square = 1.0 + at.sigma * at.sigma;
        (x / square)? + x.affine(3.0, 0.0)?.sin()?.affine(0.2 * at.sigma / square, 0.0)?
    }
}

/// A run of the file: `<sampler>/<model>/<schedule>/<steps>`.
struct Run<'a> {
    name: &'a str,
    info: &'static SamplerInfo,
    spec: ScheduleSpec,
    table: Table,
    steps: usize,
    sigmas: Vec<f64>,
}

fn runs(file: &Value) -> Vec<Run<'_>> {
    let runs = file["runs"].as_object().expect("the file lists its runs");
    assert!(!runs.is_empty());
    runs.iter()
        .map(|(name, facts)| {
            let words: Vec<_> = name.split('/').collect();
            let info = sampler(words[0]).unwrap();
            let (spec, table, steps) = (spec(words[1]), table(words[2]), words[3].parse().unwrap());
            Run { name, info, spec, table, steps, sigmas: numbers(&facts["sigmas"]) }
        })
        .collect()
}

#[test]
fn samplers_count_their_steps_as_comfyui_does() {
    let file = reference::json_at(&reference::own().join("comfyui/samplers.json"));
    for run in runs(&file) {
        let schedule = run.info.schedule(&run.spec, run.table, run.steps).unwrap();
        assert_sigmas(run.name, schedule.points.iter().map(|point| point.sigma), &run.sigmas);
    }
}

#[test]
fn samplers_walk_as_comfyuis_do() {
    let file = reference::json_at(&reference::own().join("comfyui/samplers.json"));
    let set = reference::tensors_at(&reference::own().join("comfyui/samplers.safetensors"));
    let draws = set.get("noise");
    let drawn: Vec<f32> = values(draws).into_iter().map(|value| value as f32).collect();
    let mut faults = Vec::new();
    for run in runs(&file) {
        let schedule = run.spec.schedule_over(&run.sigmas).unwrap();
        let last = draws.dim(0).unwrap() - 1;
        let start = draws.get(last).unwrap().affine(run.sigmas[0], 0.0).unwrap();
        let mut noise = NoiseSource::listed(drawn.clone());
        let end = (run.info.run)(&Toy, State::new(start, 0), &schedule, &mut noise, &mut |_| Ok(())).unwrap();
        let wanted = set.get(&format!("{}.x", run.name));
        let (gap, size) = (max_abs(&end.x, wanted), max_abs(wanted, &wanted.zeros_like().unwrap()));
        if gap.is_nan() || gap > RUN * size {
            faults.push(format!("{}: {:.1e} of the largest value", run.name, gap / size));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

//! Schedules against ComfyUI's own tables, which differ from diffusers' on purpose.

use darkroom_models::sampling::{Rules, Schedule, SchedulerConfig, Table};
use darkroom_tests::reference;

/// ComfyUI's names of the schedules that we have.
const OURS: [(&str, Table); 5] = [
    ("simple", Table::Simple),
    ("sgm_uniform", Table::SgmUniform),
    ("normal", Table::Normal),
    ("karras", Table::ComfyuiKarras),
    ("exponential", Table::ComfyuiExponential),
];

/// The models of the file that are not flows.
const MODELS: [(&str, &str); 2] = [
    ("sdxl", r#"{"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}"#),
    (
        "sdxl_v_zsnr",
        r#"{"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
            "prediction_type": "v_prediction", "rescale_betas_zero_snr": true}"#,
    ),
];

/// The sigmas of one table: `20`, or `20` and `denoise_0.5` (the last 21 of a schedule of 40).
fn sigmas(config: &SchedulerConfig, table: Table, steps: usize, denoise: Option<f64>) -> Vec<f64> {
    let all = denoise.map_or(steps, |share| (steps as f64 / share) as usize);
    let schedule = Schedule::from_config(config, Rules::Euler, table, all).unwrap();
    schedule.points[all - steps..].iter().map(|point| point.sigma).collect()
}

#[test]
fn schedules_are_comfyuis() {
    let file = reference::json_at(&reference::own().join("comfyui/sigmas.json"));
    let mut compared = 0;
    for (name, wanted) in file["tables"].as_object().unwrap() {
        let words: Vec<_> = name.split('/').collect();
        let model = MODELS.iter().find(|(model, _)| *model == words[0]);
        let table = OURS.iter().find(|(table, _)| *table == words[1]);
        let (Some((_, config)), Some((_, table))) = (model, table) else {
            continue;
        };
        let config = SchedulerConfig::from_json(config).unwrap();
        let denoise = words.get(3).map(|word| word.strip_prefix("denoise_").unwrap().parse().unwrap());
        let got = sigmas(&config, *table, words[2].parse().unwrap(), denoise);
        let wanted: Vec<_> = wanted.as_array().unwrap().iter().map(|sigma| sigma.as_f64().unwrap()).collect();
        assert_eq!(got.len(), wanted.len(), "{name}: how many");
        for (i, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            // Single precision in another order than theirs: reference/README.md of the set.
            assert!((got - wanted).abs() <= 1e-5 * wanted, "{name}, entry {i}: {got} is not {wanted}");
        }
        compared += 1;
    }
    assert!(compared >= MODELS.len() * OURS.len(), "only {compared} tables were compared");
}

//! Walks by nodes: `refine` takes what `denoise` takes, and samplers with ways of their own heed noise and masks.

use darkroom_nodes::wires::latent::Latent;

use super::{BOX, Bench, photo};

/// A prompt's denoiser, of a type and with settings, over a latent.
fn walk(name: &str, node: &str, latent: &str, settings: &str) -> String {
    format!(
        r#""{name}": (type: "{node}", denoiser: (from: "model.denoiser"), positive: (from: "prompt"), latent: (from: "{latent}"), {settings}),"#
    )
}

const BLANK: &str = r#""blank": (type: "empty_latent", width: 64, height: 48),"#;

fn numbers(latent: &Latent) -> Vec<f32> {
    latent.x.as_ref().unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_refiner_takes_the_steps_that_a_denoiser_takes() {
    let bench = Bench::with(&photo(64, 48));
    let half = walk("half", "denoise", "blank", "steps: 6, seed: 3, end_step: 3");
    for settings in [
        "steps: 6, seed: 3",
        "steps: 6, seed: 3, start_step: 3, end_step: 5, leftover: \"remove\"",
        "seed: 3, sigmas: \"3.0, 1.0, 0.2, 0\", start_step: 0",
        "steps: 6, seed: 3, prediction: \"sample\"",
        "steps: 6, seed: 3, guidance_end: 0.7, step_cache: \"easycache\", step_cache_threshold: 1.0",
    ] {
        let ends = ["denoise", "refine"].map(|node| {
            let nodes = format!("{BLANK}{half}{}", walk("rest", node, "half", settings));
            bench.make::<Latent>(&nodes, "rest").unwrap()
        });
        assert_eq!(numbers(&ends[0]), numbers(&ends[1]), "{settings}");
    }
    let finished = r#""clean": (type: "vae_encode", vae: (from: "model.vae"), image: (from: "photo")),"#;
    let ends = [("denoise", "strength: 0.5"), ("refine", "start_step: 2")].map(|(node, begin)| {
        let nodes = format!("{finished}{}", walk("drawn", node, "clean", &format!("steps: 4, {begin}")));
        bench.make::<Latent>(&nodes, "drawn").unwrap()
    });
    assert_eq!(numbers(&ends[0]), numbers(&ends[1]));
}

#[test]
fn two_words_on_where_to_refine_from_are_refused() {
    let bench = Bench::with(&photo(8, 8));
    let half = walk("half", "denoise", "blank", "steps: 4, end: 0.5");
    let both = walk("rest", "refine", "half", "steps: 4, start: 0.5, start_step: 2");
    let words = bench.words(&format!("{BLANK}{half}{both}"), "rest");
    assert!(words.contains("`start` and `start_step`"), "{words}");
}

#[test]
fn samplers_of_both_sides_are_guided_below_one_too() {
    let bench = Bench::with(&photo(8, 8));
    let draw = |sampler: &str, guidance: f64| {
        let settings = format!("steps: 3, sampler: \"{sampler}\", guidance: {guidance:?}");
        numbers(&bench.make(&format!("{BLANK}{}", walk("drawn", "denoise", "blank", &settings)), "drawn").unwrap())
    };
    assert_eq!(draw("euler", 0.5), draw("euler", 1.0));
    assert_ne!(draw("euler_cfg_pp", 0.5), draw("euler_cfg_pp", 1.0));
    assert_ne!(draw("euler_cfg_pp", 1.0), draw("euler", 1.0));
}

#[test]
fn samplers_with_ways_of_their_own_heed_masks_and_hand_over() {
    let bench = Bench::with(&photo(64, 48));
    for sampler in ["dpm_fast", "dpm_adaptive"] {
        let plain = format!("steps: 5, sampler: \"{sampler}\", schedule: \"comfyui_karras\"");
        let nodes = format!(
            r#"{BOX} "part": (type: "inpaint", vae: (from: "model.vae"), image: (from: "photo"), mask: (from: "mask")), {} {}"#,
            walk("half", "denoise", "part", &format!("{plain}, end_step: 3")),
            walk("rest", "denoise", "half", &plain),
        );
        let part: Latent = bench.make(&nodes, "part").unwrap();
        let half: Latent = bench.make(&nodes, "half").unwrap();
        let rest: Latent = bench.make(&nodes, "rest").unwrap();
        assert!(half.noise_left > 0.0 && rest.noise_left == 0.0, "{sampler}");
        let mask = part.repaint.as_ref().unwrap().mask.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (i, (before, after)) in numbers(&part).iter().zip(&numbers(&rest)).enumerate() {
            assert_eq!(before == after, mask[i % mask.len()] == 0.0, "{sampler}, value {i}");
        }
    }
}

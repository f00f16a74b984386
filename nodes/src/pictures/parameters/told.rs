//! How a picture is made, gathered from the plan of the run that makes it.
//!
//! From the node that saves it the way leads back to the last `denoise`, and from there to the one `encode_prompt`.
//! Where there is none, or several that could be meant, nothing is told rather than something wrong.

use darkroom_core::literal::Literal;
use darkroom_core::plan::{Plan, Step, StepInput};

use super::{Parameters, names};

/// Which picture.
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    /// Its number in the batch.
    pub index: usize,
    /// How many there are.
    pub count: usize,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// Gathers what made the picture that a node saves.
pub fn told(plan: &Plan, node: &str, picture: Picture) -> Option<Parameters> {
    let save = plan.steps.iter().position(|step| step.id == node)?;
    let denoise = only(plan, save, "image", "denoise")?;
    let prompt = only(plan, denoise, "positive", "encode_prompt")?;
    let negative = match source(&plan.steps[denoise], "negative") {
        Some(_) => text(&plan.steps[only(plan, denoise, "negative", "encode_prompt")?], "text"),
        None => text(&plan.steps[prompt], "negative"),
    };
    let mut told = Parameters { positive: text(&plan.steps[prompt], "text")?, negative, settings: Vec::new() };
    settings(plan, &plan.steps[denoise], picture, &mut told)?;
    model(plan, denoise, &mut told);
    let skipped = number(&plan.steps[prompt], "clip_skip").filter(|skipped| *skipped > 0);
    if let Some(skipped) = skipped {
        told.set("Clip skip", skipped + 1);
    }
    if let Some("a1111_no_norm") = text(&plan.steps[prompt], "weighting").as_deref() {
        told.set("Emphasis", "No norm");
    }
    told.set("Version", concat!("darkroom ", env!("CARGO_PKG_VERSION")));
    Some(told)
}

fn settings(plan: &Plan, denoise: &Step, picture: Picture, told: &mut Parameters) -> Option<()> {
    told.set("Steps", number(denoise, "steps")?);
    told.set("Sampler", names::their_sampler(&text(denoise, "sampler")?));
    told.set("Schedule type", names::their_schedule(&text(denoise, "schedule")?));
    told.set("CFG scale", decimal(denoise, "guidance")?);
    let seed = number(denoise, "seed")?;
    let each = text(denoise, "noise").as_deref() == Some("per_image");
    told.set("Seed", if each { seed + picture.index as i128 } else { seed });
    told.set("Size", format!("{}x{}", picture.width, picture.height));
    // On a blank latent the strength means nothing.
    let blank = source(denoise, "latent").is_none_or(|from| plan.steps[from].node.spec().id == "empty_latent");
    if !blank {
        told.set("Denoising strength", decimal(denoise, "strength")?);
    }
    if text(denoise, "generator").as_deref() == Some("cpu") {
        told.set("RNG", "CPU");
    }
    if picture.count > 1 && !each {
        told.set("Batch size", picture.count);
        told.set("Batch pos", picture.index);
    }
    Some(())
}

/// The name of the model, never its path.
fn model(plan: &Plan, denoise: usize, told: &mut Parameters) {
    let source = only(plan, denoise, "denoiser", "load_model").and_then(|model| text(&plan.steps[model], "source"));
    let name = source.as_deref().and_then(|source| source.trim_end_matches('/').rsplit(['/', '\\']).next());
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        told.set("Model", name);
    }
}

/// Follows an input back to the nearest steps of a type, and returns the one there is.
fn only(plan: &Plan, from: usize, input: &str, wanted: &str) -> Option<usize> {
    let mut seen = vec![false; plan.steps.len()];
    let mut ahead = vec![source(&plan.steps[from], input)?];
    let mut found = None;
    while let Some(at) = ahead.pop() {
        if std::mem::replace(&mut seen[at], true) {
            continue;
        }
        let step = &plan.steps[at];
        if step.node.spec().id == wanted {
            if found.is_some() {
                return None;
            }
            found = Some(at);
            continue;
        }
        ahead.extend(step.inputs.iter().filter_map(|input| match input {
            StepInput::Step { step, .. } => Some(*step),
            _ => None,
        }));
    }
    found
}

fn source(step: &Step, name: &str) -> Option<usize> {
    let (index, _) = step.node.spec().input(name)?;
    match step.inputs[index] {
        StepInput::Step { step, .. } => Some(step),
        _ => None,
    }
}

fn literal(step: &Step, name: &str) -> Option<Literal> {
    let (index, input) = step.node.spec().input(name)?;
    match &step.inputs[index] {
        StepInput::Literal(literal) => Some(literal.clone()),
        StepInput::Default => input.param.as_ref()?.default.clone(),
        StepInput::Value(value) => value.literal(),
        StepInput::Step { .. } | StepInput::Open => None,
    }
}

fn text(step: &Step, name: &str) -> Option<String> {
    match literal(step, name)? {
        Literal::Text(text) => Some(text),
        _ => None,
    }
}

fn number(step: &Step, name: &str) -> Option<i128> {
    match literal(step, name)? {
        Literal::Integer(number) => Some(number),
        _ => None,
    }
}

fn decimal(step: &Step, name: &str) -> Option<f64> {
    match literal(step, name)? {
        Literal::Number(number) => Some(number),
        Literal::Integer(number) => Some(number as f64),
        _ => None,
    }
}

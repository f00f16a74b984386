//! The memory of a plan as a timeline of each device: one line for each step that computes, with what comes for it and
//! what goes.

use crate::plan::{Action, Leave, Load, Need, Plan, Step};
use crate::residency::{Device, gibibytes, gibibytes_of};
use crate::spec::Lane;

/// The cells of a bar.
const WIDTH: u64 = 20;

/// Writes the timeline of a plan; nothing of devices to which no weights come.
pub fn timeline(plan: &Plan) -> String {
    plan.memory.bounds.keys().map(|device| of_device(plan, *device)).collect()
}

fn of_device(plan: &Plan, device: Device) -> String {
    let computes = |step: &&Step| step.node.spec().lane == Lane::Compute && step.action == Action::Run;
    let rows = plan.steps.iter().filter(computes);
    let rows: Vec<(&str, &Need)> = rows.filter_map(|step| Some((&*step.id, step.need.as_ref()?))).collect();
    if rows.iter().all(|(_, need)| need.loads.iter().all(|load| load.device != device)) {
        return String::new();
    }
    let budget = plan.memory.machine.budget(device);
    let unlimited = budget == u64::MAX;
    let scale = if unlimited { plan.memory.bounds(device).peak } else { budget };
    let wide = rows.iter().map(|(id, _)| id.chars().count()).max().unwrap_or(0);
    let mut text = match unlimited {
        true => format!("memory{}\n", device.on()),
        false => format!("memory, of {}{}\n", gibibytes(scale), device.on()),
    };
    for (id, need) in rows {
        let peak = need.room(device).peak;
        let line =
            format!("  {id:<wide$}  {}  {:>9}  {}", bar(peak, scale), gibibytes(peak), moves(need, device, plan));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A bar that is full where all memory is in use, and has an arrow where more would be.
fn bar(bytes: u64, scale: u64) -> String {
    let filled = (u128::from(bytes) * u128::from(WIDTH)).div_ceil(u128::from(scale.max(1)));
    let filled = filled.min(u128::from(WIDTH)) as usize;
    let end = if bytes > scale { '>' } else { '|' };
    format!("|{}{}{end}", "#".repeat(filled), ".".repeat(WIDTH as usize - filled))
}

/// What goes, and then what comes: `- vae of `model` 160.0 MiB, + denoiser of `model` 2.1 of 5.1 GiB`.
fn moves(need: &Need, device: Device, plan: &Plan) -> String {
    let goes = need.lets_go.iter().filter(|leave| leave.device == device).map(|leave| goes(leave, plan));
    let comes = need.loads.iter().filter(|load| load.device == device).map(|load| comes(load, plan));
    goes.chain(comes).collect::<Vec<_>>().join(", ")
}

fn comes(Load { part, bytes, of, .. }: &Load, plan: &Plan) -> String {
    let bytes = if bytes == of { gibibytes(*of) } else { gibibytes_of(*bytes, *of) };
    format!("+ {} {bytes}", plan.part_title(*part))
}

fn goes(Leave { part, bytes, next_use, .. }: &Leave, plan: &Plan) -> String {
    let why = match next_use {
        Some(step) => format!("back for `{}`", plan.steps[*step].id),
        None => "needed no more".to_owned(),
    };
    format!("- {} {} ({why})", plan.part_title(*part), gibibytes(*bytes))
}

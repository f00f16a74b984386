//! A plan as a table for a person: what runs, what does not, and why.

use crate::cache::Tier;
use crate::plan::{Action, Plan, Step, Verdict};
use crate::residency::gibibytes;
use crate::spec::Lane;

mod last;
mod timeline;

pub use last::last;

impl Plan {
    /// Counts the steps that run.
    pub fn runs(&self) -> usize {
        self.steps.iter().filter(|step| step.action == Action::Run).count()
    }

    /// Returns the seconds that the run should take, if every step that runs has run before.
    pub fn seconds(&self) -> Option<f64> {
        let mut runs = self.steps.iter().filter(|step| step.action == Action::Run);
        // A sum of nothing would be -0.
        runs.try_fold(0.0, |sum, step| Some(sum + step.seconds?))
    }
}

/// Writes a plan as a table, one line a node, and a summary.
pub fn explain(plan: &Plan) -> String {
    let rows: Vec<_> =
        plan.steps.iter().filter(|step| step.node.spec().lane != Lane::Value).map(|step| row(step, plan)).collect();
    let widths: Vec<_> =
        (0..5).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        line.push_str(&row[5]);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for step in &plan.steps {
        if let Some(drawn) = &step.drawn {
            text.push_str(&format!("{} drew: {}\n", step.id, drawn.escape_debug()));
        }
    }
    for stand_in in &plan.stand_ins {
        text.push_str(&format!("{stand_in}\n"));
    }
    text.push_str(&timeline::timeline(plan));
    text.push_str(&summary(plan));
    text
}

fn row(step: &Step, plan: &Plan) -> [String; 6] {
    let runs = step.action == Action::Run;
    let state = match &step.action {
        Action::Run => "run".to_owned(),
        Action::Open => "open".to_owned(),
        Action::Share(_) => "shared".to_owned(),
        Action::Take(tier) | Action::Idle(Some(tier)) => format!("cached ({})", tier_word(*tier)),
        Action::Idle(None) => "idle".to_owned(),
    };
    let device = if runs && step.node.spec().lane == Lane::Compute { works_on(step, plan) } else { String::new() };
    let memory = if runs { need(step) } else { String::new() };
    let seconds = step.seconds.map(|seconds| format!("~{seconds:.1} s")).unwrap_or_default();
    let makes = step.types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    [
        step.id.clone(),
        state,
        step.why.to_string(),
        device,
        format!("{memory}{}{seconds}", if memory.is_empty() || seconds.is_empty() { "" } else { ", " }),
        makes,
    ]
}

/// What a step works with: the arithmetic, and the device where that is not told by itself.
fn works_on(step: &Step, plan: &Plan) -> String {
    match step.need.as_ref().filter(|_| plan.memory.cards().next().is_some()) {
        Some(need) => format!("{} {}", need.device, plan.numerics),
        None => plan.numerics.clone(),
    }
}

fn need(step: &Step) -> String {
    let cost = step.cost;
    let mut parts = Vec::new();
    if cost.weights > 0 {
        parts.push(format!("{} weights", gibibytes(cost.weights)));
    }
    if let Some(need) = step.need.as_ref().filter(|need| need.granted < need.weights) {
        parts.push(format!("streams {}", gibibytes(need.weights - need.granted)));
    }
    if cost.workspace > 0 {
        parts.push(format!("{} scratch", gibibytes(cost.workspace)));
    }
    if cost.steps > 0 {
        parts.push(format!("{} steps", cost.steps));
    }
    parts.join(", ")
}

fn tier_word(tier: Tier) -> &'static str {
    match tier {
        Tier::Memory => "memory",
        Tier::Disk => "disk",
    }
}

fn summary(plan: &Plan) -> String {
    let of = plan.steps.iter().filter(|step| step.node.spec().lane != Lane::Value).count();
    match plan.runs() {
        0 => format!("0 of {of} nodes run: everything wanted is there\n"),
        runs => {
            let seconds = plan.seconds().map(|seconds| format!(", about {seconds:.1} s")).unwrap_or_default();
            let verdict = match plan.memory.verdict {
                Verdict::Whole => String::new(),
                _ => format!("{}\n", plan.memory),
            };
            let on_cards = plan.memory.cards().map(|card| (card, plan.memory.bounds(card).peak));
            let on_cards: String = on_cards.map(|(card, peak)| format!(", {}{}", gibibytes(peak), card.on())).collect();
            let peak = gibibytes(plan.peak_bytes);
            format!("{runs} of {of} nodes run, peak memory {peak}{on_cards}{seconds}\n{verdict}")
        }
    }
}

//! Plans, events, reports, nodes as JSON, for programs that read what darkroom says. Every text is encoded by the JSON
//! writer: whatever a name holds, one object stays one line.

use std::time::Duration;

use darkroom_core::engine::{Eased, NodeReport, Report};
use darkroom_core::literal::Literal;
use darkroom_core::locks::StandIn;
use darkroom_core::observe::Event;
use darkroom_core::plan::{Action, Bounds, Leave, Load, Memory, Need, Plan, Step, Verdict};
use darkroom_core::residency::Device;
use darkroom_core::spec::{Input, Lane, Spec};
use darkroom_core::types::Type;
use darkroom_core::value::Value as Datum;
use serde_json::{Value, json};

use crate::desk::fault_json;

/// Writes an event; `None` for those that a line of text cannot hold.
pub fn event(event: &Event<'_>, at: Duration) -> Option<Value> {
    let mut object = match event {
        Event::Planned(seen) => {
            let mut object = json!({"event": "planned"});
            merge(&mut object, plan(seen));
            object
        }
        Event::Reading { path, done, of } => {
            json!({"event": "reading", "path": path.display().to_string(), "done": done, "of": of})
        }
        Event::Started { node, kind } => json!({"event": "started", "node": node, "type": kind}),
        Event::Progress { node, done, of } => json!({"event": "progress", "node": node, "done": done, "of": of}),
        Event::Streams { node, title, bytes, of } => {
            json!({"event": "streams", "node": node, "title": title, "bytes": bytes, "of": of})
        }
        Event::Finished { node, how, seconds } => {
            json!({"event": "finished", "node": node, "how": how.word(), "seconds": seconds})
        }
        Event::Wrote { node, path, anew } => {
            json!({"event": "wrote", "node": node, "path": path.to_string_lossy(), "anew": anew})
        }
        Event::Warning { node, text } => json!({"event": "warning", "node": node, "text": text}),
        Event::Eased { node, what } => json!({"event": "eased", "node": node, "what": what}),
        Event::Failed(located) => json!({"event": "failed", "fault": fault_json(located)}),
        Event::Preview { .. } => return None,
    };
    object["at"] = json!(at.as_secs_f64());
    Some(object)
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// Writes a plan.
pub fn plan(plan: &Plan) -> Value {
    let told = plan.steps.iter().filter(|step| step.node.spec().lane != Lane::Value);
    let steps: Vec<_> = told.map(|told| step(told, plan)).collect();
    let stand_in =
        |StandIn { at, name, path }: &StandIn| json!({"at": at, "name": name, "path": path.to_string_lossy()});
    json!({
        "runs": plan.runs(),
        "seconds": plan.seconds(),
        "peak_bytes": plan.peak_bytes,
        "memory": memory(&plan.memory),
        "safe_mode": plan.safe_mode.told(),
        "numerics": plan.numerics,
        "nodes": steps,
        "stand_ins": plan.stand_ins.iter().map(stand_in).collect::<Vec<_>>(),
    })
}

fn step(step: &Step, plan: &Plan) -> Value {
    let (action, tier) = match step.action {
        Action::Run => ("run", None),
        Action::Open => ("open", None),
        Action::Share(_) => ("share", None),
        Action::Take(tier) => ("cached", Some(tier)),
        Action::Idle(tier) => ("idle", tier),
    };
    json!({
        "id": step.id,
        "type": step.node.spec().id,
        "action": action,
        "tier": tier,
        "why": step.why.to_string(),
        "recipe": step.recipe.to_string(),
        "seconds": step.seconds,
        "drawn": step.drawn,
        "cost": step.cost,
        "took": step.took,
        "need": step.need.as_ref().map(|found| need(found, plan)),
        "makes": step.types.iter().map(ty).collect::<Vec<_>>(),
    })
}

/// Writes how a node would make do with less.
pub fn eased(Eased { node, what }: &Eased) -> Value {
    json!({"node": node, "what": what})
}

/// Writes whether a plan fits.
pub fn memory(memory: &Memory) -> Value {
    let mut object = bounds(memory, Device::Cpu);
    object["says"] = json!(memory.to_string());
    let cards: Vec<_> = memory.cards().map(|card| bounds(memory, card)).collect();
    if !cards.is_empty() {
        object["cards"] = json!(cards);
    }
    let (verdict, more) = match &memory.verdict {
        Verdict::Whole => ("whole", json!({})),
        Verdict::Streamed { parts } => ("streamed", json!({"parts": parts})),
        Verdict::Short { node, device, what, needs, beside, missing } => {
            let mut more = json!({"node": node, "what": what, "needs": needs, "beside": beside, "missing": missing});
            tell_card(&mut more, *device);
            ("short", more)
        }
    };
    object["verdict"] = json!(verdict);
    merge(&mut object, more);
    object
}

/// Writes with how much of a device's memory a plan fits, and what it is given of it.
fn bounds(memory: &Memory, device: Device) -> Value {
    let Bounds { least, whole, peak } = memory.bounds(device);
    // A plan for a machine without bounds has no budget.
    let budget = Some(memory.machine.budget(device)).filter(|budget| *budget < u64::MAX);
    let mut object = json!({"least": least, "whole": whole, "budget": budget});
    if device != Device::Cpu {
        object["peak"] = json!(peak);
    }
    tell_card(&mut object, device);
    object
}

/// Adds the device, where it is a card.
fn tell_card(object: &mut Value, device: Device) {
    if device != Device::Cpu {
        object["device"] = json!(device.to_string());
    }
}

fn need(need: &Need, plan: &Plan) -> Value {
    let load = |load: &Load| {
        let mut object = json!({"part": plan.part_title(load.part), "bytes": load.bytes, "of": load.of});
        tell_card(&mut object, load.device);
        object
    };
    let leave = |leave: &Leave| {
        let next_use = leave.next_use.map(|step| &plan.steps[step].id);
        let mut object = json!({"part": plan.part_title(leave.part), "bytes": leave.bytes, "next_use": next_use});
        tell_card(&mut object, leave.device);
        object
    };
    let mut object = json!({
        "weights": need.weights,
        "least": need.least,
        "granted": need.granted,
        "workspace": need.workspace,
        "live": need.live,
        "peak": need.peak(),
        "loads": need.loads.iter().map(load).collect::<Vec<_>>(),
        "lets_go": need.lets_go.iter().map(leave).collect::<Vec<_>>(),
    });
    tell_card(&mut object, need.device);
    object
}

fn ty(ty: &Type) -> Value {
    json!({
        "kind": ty.kind.0,
        "family": ty.family.as_deref(),
        "width": ty.width,
        "height": ty.height,
        "count": ty.count,
        "weights": ty.weights,
        "least_weights": ty.least_weights,
    })
}

/// Writes the report of a run that went well.
pub fn report(report: &Report, drawn: &[(String, u64)], warnings: &[String]) -> Value {
    let node = |node: &NodeReport| {
        json!({
            "id": node.id,
            "type": node.kind,
            "how": node.how.map(darkroom_core::observe::How::word),
            "why": node.why,
            "seconds": node.seconds,
            "memory": node.memory,
        })
    };
    let result = |(id, values): &(String, Vec<Datum>)| json!({"node": id, "values": values.iter().map(value).collect::<Vec<_>>()});
    let seeds: serde_json::Map<_, _> = drawn.iter().map(|(at, seed)| (at.clone(), json!(seed))).collect();
    let peaks: serde_json::Map<_, _> =
        report.card_peaks.iter().map(|(card, peak)| (card.to_string(), json!(peak))).collect();
    let mut object = json!({
        "ok": true,
        "exit": 0,
        "seconds": report.seconds,
        "peak_bytes": report.peak_bytes,
        "seeds": seeds,
        "nodes": report.nodes.iter().map(node).collect::<Vec<_>>(),
        "results": report.results.iter().map(result).collect::<Vec<_>>(),
        "warnings": warnings,
    });
    if !peaks.is_empty() {
        object["card_peak_bytes"] = json!(peaks);
    }
    object
}

fn value(value: &Datum) -> Value {
    let files: Vec<_> = value.written().iter().map(|path| path.to_string_lossy().into_owned()).collect();
    json!({"makes": ty(&value.describe()), "literal": value.literal().as_ref().map(literal), "files": files})
}

/// Writes the manual of a node.
pub fn spec(spec: &Spec) -> Value {
    let outputs = spec.outputs.iter().map(|of| json!({"name": of.name, "kind": of.kind.0, "doc": of.doc}));
    json!({
        "type": spec.id,
        "version": spec.version,
        "title": spec.title,
        "category": spec.category,
        "doc": spec.doc,
        "effect": spec.effect,
        "inputs": spec.inputs.iter().map(input).collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
    })
}

fn input(input: &Input) -> Value {
    let mut object = json!({"name": input.name, "kind": input.kind.0, "doc": input.doc, "required": input.required});
    if let Some(param) = &input.param {
        let choices = param.choices.iter().map(|choice| json!({"name": choice.name, "doc": choice.doc}));
        object["param"] = json!({
            "default": param.default.as_ref().map(literal),
            "range": param.range.as_ref().map(|(low, high)| [literal(low), literal(high)]),
            "multiple_of": param.multiple_of,
            "choices": choices.collect::<Vec<_>>(),
            "unit": param.unit,
            "multiline": param.multiline,
            "advanced": param.advanced,
            "seed": param.seed,
        });
    }
    object
}

fn literal(literal: &Literal) -> Value {
    match literal {
        Literal::Boolean(truth) => json!(truth),
        Literal::Integer(number) => u64::try_from(*number)
            .map(Value::from)
            .or_else(|_| i64::try_from(*number).map(Value::from))
            .unwrap_or_else(|_| json!(number.to_string())),
        Literal::Number(number) => json!(number),
        Literal::Text(text) => json!(text),
        Literal::List(items) => items.iter().map(self::literal).collect(),
        Literal::Raw(source) => json!(source),
    }
}

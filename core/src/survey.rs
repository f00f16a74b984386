//! The first half of a plan: what each node of a graph would make, and the names of it, before anything runs.
//!
//! The walk starts at the nodes that are wanted and follows wires back. Light values (texts, numbers, sizes) are made on
//! the way, so that their names are their content; a route is decided on the way, so that the branch not taken is never
//! looked at.

use crate::context::{Context, Surroundings, Workflow};
use crate::fault::{Fault, Faults};
use crate::files::Files;
use crate::fingerprint::{Fingerprint, Hasher};
use crate::graph::Mode;
use crate::graph::check::{Source, Wired, WiredNode};
use crate::host::Host;
use crate::literal::Literal;
use crate::locks::{self, StandIn};
use crate::node::{Feed, Inputs, Known, KnownInput};
use crate::observe::Cancel;
use crate::residency::Ledger;
use crate::spec::{Input, Lane};
use crate::types::{Cost, Kind, Type};
use crate::value::Value;

/// What is known of one node.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The name of the recipe.
    pub recipe: Fingerprint,
    /// The name of what stands at each input that something stands at, by the input's index.
    pub inputs: Vec<(usize, Fingerprint)>,
    /// The types of the outputs.
    pub types: Vec<Type>,
    /// The names of the outputs.
    pub names: Vec<Fingerprint>,
    /// The outputs themselves, of a light value.
    pub values: Option<Vec<Value>>,
    /// For a route or a bypassed node: where each output really comes from, as node and output.
    pub alias: Option<Vec<(usize, usize)>>,
    /// What a run of it will need.
    pub cost: Cost,
}

/// What is known of a graph.
pub struct Survey {
    /// One finding for each node that was reached and has no fault before it.
    pub findings: Vec<Option<Finding>>,
    /// The nodes reached, sources first.
    pub order: Vec<usize>,
    /// What stands in for names, because it has the content that they are locked to.
    pub stand_ins: Vec<StandIn>,
}

impl Survey {
    /// Follows routes to where a value really comes from.
    pub fn origin(&self, node: usize, output: usize) -> (usize, usize) {
        match self.findings[node].as_ref().and_then(|finding| finding.alias.as_ref()) {
            Some(alias) => alias[output],
            None => (node, output),
        }
    }
}

/// Surveys the nodes that `goals` need, noting every fault with its place; `files` gives files their names.
pub fn survey(wired: &Wired<'_>, goals: &[usize], host: &Host, files: &Files, faults: &mut Faults) -> Survey {
    let count = wired.nodes.len();
    let mut ordered = vec![false; count];
    wired.order.iter().for_each(|node| ordered[*node] = true);
    let mut surveyor = Surveyor {
        wired,
        host,
        files,
        faults,
        found: Survey {
            findings: (0..count).map(|_| None).collect(),
            order: Vec::with_capacity(count),
            stand_ins: Vec::new(),
        },
        phases: vec![Phase::Unseen; count],
        stack: Vec::new(),
    };
    for goal in goals.iter().filter(|goal| ordered[**goal]) {
        surveyor.walk(*goal);
    }
    surveyor.found
}

/// How far the walk has come with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Unseen,
    /// Its first sources are under way: all of them, or the selector of a route.
    Waiting,
    /// The chosen branch of a route is under way.
    Chosen(usize),
    Done,
}

struct Surveyor<'a, 'g> {
    wired: &'a Wired<'g>,
    host: &'a Host,
    files: &'a Files,
    faults: &'a mut Faults,
    found: Survey,
    phases: Vec<Phase>,
    stack: Vec<usize>,
}

impl<'a, 'g> Surveyor<'a, 'g> {
    /// Walks back from one node without recursion: a chain may be longer than any stack.
    fn walk(&mut self, goal: usize) {
        self.stack.push(goal);
        while let Some(index) = self.stack.last().copied() {
            let Some(node) = self.wired.nodes[index].as_ref() else {
                self.finish(index, None);
                continue;
            };
            match self.phases[index] {
                Phase::Unseen => self.begin(index, node),
                Phase::Waiting => self.resolve(index, node),
                Phase::Chosen(input) => {
                    let finding = self.passed_on(index, node, &|_| Some(input));
                    self.finish(index, finding);
                }
                Phase::Done => {
                    self.stack.pop();
                }
            }
        }
    }

    fn begin(&mut self, index: usize, node: &'a WiredNode<'g>) {
        if node.entry.mode == Mode::Muted {
            return self.finish(index, None);
        }
        self.phases[index] = Phase::Waiting;
        let route = node.spec().lane == Lane::Route && node.entry.mode == Mode::Active;
        // The last pushed is looked at first: what stands first in a node comes first in the plan.
        for (input, source) in node.spec().inputs.iter().zip(&node.inputs).rev() {
            if !route || input.param.is_some() {
                self.push(source);
            }
        }
    }

    fn push(&mut self, source: &Source<'_>) {
        if let Source::Link { node, .. } = source
            && self.phases[*node] == Phase::Unseen
        {
            self.stack.push(*node);
        }
    }

    /// All first sources are known: finds out about the node, or chooses a route's branch.
    fn resolve(&mut self, index: usize, node: &'a WiredNode<'g>) {
        if node.entry.mode == Mode::Bypassed {
            let first_of = |kind: Kind| {
                node.spec().inputs.iter().zip(&node.inputs).position(|(input, source)| {
                    matches!(source, Source::Link { .. } | Source::Broken) && kind.accepts(input.kind)
                })
            };
            let finding = self.passed_on(index, node, &first_of);
            return self.finish(index, finding);
        }
        let Some(inputs) = self.known_inputs(node) else { return self.finish(index, None) };
        let known = Known { spec: node.spec(), host: self.host, inputs: &inputs };
        if node.spec().lane == Lane::Route {
            match self.choose(node, &known) {
                Ok(input) => {
                    self.phases[index] = Phase::Chosen(input);
                    self.push(&node.inputs[input]);
                }
                Err(fault) => {
                    self.faults.push(node.fault(fault));
                    self.finish(index, None);
                }
            }
            return;
        }
        let finding = self.examine(node, &known);
        self.finish(index, finding);
    }

    fn choose(&self, node: &WiredNode<'_>, known: &Known<'_>) -> Result<usize, Fault> {
        let name = node.node.route(known)?;
        let (input, _) = node.spec().input(name).ok_or_else(|| Fault::bug(format!("there is no input `{name}`")))?;
        match node.inputs[input] {
            Source::Open => Err(Fault::graph(format!("`{name}` is chosen, and nothing is connected to it"))
                .hint(format!("connect `{name}`, or choose another input"))),
            _ => Ok(input),
        }
    }

    /// The finding of a node whose outputs are inputs passed on.
    fn passed_on(
        &mut self,
        index: usize,
        node: &WiredNode<'_>,
        choose: &dyn Fn(Kind) -> Option<usize>,
    ) -> Option<Finding> {
        let mut alias = Vec::new();
        for output in &node.spec().outputs {
            let (from, which) = match choose(output.kind).map(|input| node.inputs[input]) {
                Some(Source::Link { node, output }) => (node, output),
                Some(Source::Broken) => return None,
                _ => {
                    let message = format!("`{}` is bypassed, and no input could stand for `{}`", node.id, output.name);
                    let hint = "connect one of the same kind, or make the node active";
                    self.faults.push(node.fault(Fault::graph(message).hint(hint)));
                    return None;
                }
            };
            self.found.findings[from].as_ref()?;
            alias.push(self.found.origin(from, which));
        }
        let origin =
            |(node, output): &(usize, usize)| self.found.findings[*node].as_ref().map(|finding| (finding, *output));
        let (types, names) = alias
            .iter()
            .filter_map(origin)
            .map(|(finding, output)| (finding.types[output].clone(), finding.names[output]))
            .unzip();
        let recipe = Hasher::new("alias").integer(index as i128).finish();
        Some(Finding {
            recipe,
            inputs: Vec::new(),
            types,
            names,
            values: None,
            alias: Some(alias),
            cost: Cost::default(),
        })
    }

    fn finish(&mut self, index: usize, finding: Option<Finding>) {
        self.phases[index] = Phase::Done;
        if finding.is_some() {
            self.found.order.push(index);
        }
        self.found.findings[index] = finding;
        self.stack.pop();
    }

    /// What is known of each input; `None` behind a fault. A route's branches are left out.
    fn known_inputs(&self, node: &'a WiredNode<'g>) -> Option<Vec<KnownInput<'a>>> {
        let route = node.spec().lane == Lane::Route;
        let known = |(input, source): (&'a Input, &Source<'a>)| {
            Some(match *source {
                Source::Literal(literal) => KnownInput { ty: None, from: None, feed: Some(Feed::Literal(literal)) },
                Source::Default => {
                    let default = input.param.as_ref().and_then(|param| param.default.as_ref());
                    KnownInput { ty: None, from: None, feed: default.map(Feed::Literal) }
                }
                Source::Open => KnownInput { ty: None, from: None, feed: Some(Feed::Open) },
                Source::Broken => return None,
                Source::Link { .. } if route && input.param.is_none() => {
                    KnownInput { ty: None, from: None, feed: None }
                }
                Source::Link { node, output } => {
                    let (node, output) = self.found.origin(node, output);
                    let finding = self.found.findings[node].as_ref()?;
                    let value = finding.values.as_ref().map(|values| Feed::Value(values[output].clone()));
                    KnownInput {
                        ty: Some(finding.types[output].clone()),
                        from: self.wired.nodes[node].as_ref().map(|node| node.id),
                        feed: value,
                    }
                }
            })
        };
        node.spec().inputs.iter().zip(&node.inputs).map(known).collect()
    }

    /// Names a node's result, and says what it will be.
    fn examine(&mut self, node: &WiredNode<'_>, known: &Known<'_>) -> Option<Finding> {
        let inputs = self.name_inputs(node)?;
        let recipe = self.recipe(node, &inputs);
        let types = match node.node.infer(known) {
            Ok(types) => types,
            Err(fault) => {
                self.faults.push(node.fault(fault));
                return None;
            }
        };
        let cost = node.node.cost(known);
        let mut finding = Finding { recipe, inputs, types, names: Vec::new(), values: None, alias: None, cost };
        let at_hand = node.spec().lane == Lane::Value && known.inputs.iter().all(|input| input.feed.is_some());
        if at_hand {
            match self.make(node, known, recipe) {
                Ok(values) => {
                    finding.names = values.iter().map(Value::name).collect();
                    finding.values = Some(values);
                }
                Err(fault) => {
                    self.faults.push(node.fault(fault));
                    return None;
                }
            }
        } else {
            finding.names = (0..node.spec().outputs.len()).map(|output| recipe.output(output)).collect();
        }
        Some(finding)
    }

    fn name_inputs(&mut self, node: &WiredNode<'_>) -> Option<Vec<(usize, Fingerprint)>> {
        let mut names = Vec::with_capacity(node.inputs.len());
        for (index, (input, source)) in node.spec().inputs.iter().zip(&node.inputs).enumerate() {
            match self.name_input(node, input, source) {
                // What changes no pixel has no part in names.
                Ok(Some(name)) if !input.param.as_ref().is_some_and(|param| param.same_pixels) => {
                    names.push((index, name));
                }
                Ok(_) => {}
                Err(fault) => {
                    self.faults.push(node.fault(fault).input(input.name));
                    return None;
                }
            }
        }
        Some(names)
    }

    /// The name of what stands at an input, if anything does.
    fn name_input(
        &mut self,
        node: &WiredNode<'_>,
        input: &Input,
        source: &Source<'_>,
    ) -> Result<Option<Fingerprint>, Fault> {
        let files = self.files;
        match (*source, &input.param) {
            (Source::Literal(literal), Some(param)) => {
                self.hold(node, input, literal)?;
                param.name(literal, files).map(Some)
            }
            (Source::Default, Some(param)) => {
                param.default.iter().try_for_each(|default| self.hold(node, input, default))?;
                param.default_name(files)
            }
            (Source::Link { node: from, output }, param) => {
                let (from, output) = self.found.origin(from, output);
                let Some(finding) = &self.found.findings[from] else { return Ok(None) };
                let id = || self.wired.nodes[from].as_ref().map_or("", |node| node.id);
                // A route may pass on anything: only here is it known what.
                let found = finding.types[output].kind;
                if !input.kind.accepts(found) {
                    return Err(Fault::graph(format!("wanted `{}`, and `{}` gives `{found}`", input.kind, id()))
                        .hint("connect another node, or choose another branch"));
                }
                // A light value means to a parameter what a literal would: if it names a file, the file's content.
                let literal = finding.values.as_ref().and_then(|values| values[output].literal());
                match (literal, param) {
                    (Some(literal), Some(param)) => {
                        self.hold(node, input, &literal)?;
                        param.check(&literal, files)?;
                        param.name(&literal, files).map(Some)
                    }
                    (None, Some(param)) if param.outside => Err(Fault::graph(format!(
                        "wanted {}, and only a run of `{}` could tell which",
                        param.noun,
                        id()
                    ))
                    .hint("give a literal, or a light value, as `text`")),
                    _ => Ok(Some(finding.names[output])),
                }
            }
            _ => Ok(None),
        }
    }

    /// Holds what stands at an input to its lock, if it has one.
    fn hold(&mut self, node: &WiredNode<'_>, input: &Input, literal: &Literal) -> Result<(), Fault> {
        let Some(param) = input.param.as_ref().filter(|param| param.outside && !self.wired.lock.is_empty()) else {
            return Ok(());
        };
        let at = format!("{}.{}", node.id, input.name);
        let Some(lock) = self.wired.lock.get(&at) else { return Ok(()) };
        if let Some((name, path)) = locks::hold(lock, literal, param, self.files)? {
            self.found.stand_ins.push(StandIn { at, name, path });
        }
        Ok(())
    }

    /// The name of a recipe: the node's type and version, the names of its inputs, and whatever of the machine shows in
    /// the result.
    fn recipe(&self, node: &WiredNode<'_>, inputs: &[(usize, Fingerprint)]) -> Fingerprint {
        let spec = node.spec();
        let mut hasher = Hasher::new("recipe").text(spec.id).integer(i128::from(spec.version));
        for (index, name) in inputs {
            hasher = hasher.text(spec.inputs[*index].name).fingerprint(*name);
        }
        if spec.lane == Lane::Compute {
            hasher = hasher.text("numerics").text(self.host.numerics());
        }
        if spec.effect {
            hasher = hasher.text("output").bytes(self.host.files().output().as_os_str().as_encoded_bytes());
        }
        hasher.finish()
    }

    fn make(&self, node: &WiredNode<'_>, known: &Known<'_>, recipe: Fingerprint) -> Result<Vec<Value>, Fault> {
        let feeds = known.inputs.iter().filter_map(|input| input.feed.clone()).collect();
        let (cancel, ledger) = (Cancel::new(), Ledger::new(0));
        let around = Surroundings {
            observer: &(),
            cancel: &cancel,
            ledger: &ledger,
            host: self.host,
            checkpoints: None,
            workflow: &Workflow::default(),
        };
        let mut context = Context::new(around, node.id, recipe);
        let made = node.node.run(Inputs::new(node.spec(), self.host, feeds), &mut context)?;
        Ok(made.into_iter().enumerate().map(|(index, made)| made.named(recipe.output(index))).collect())
    }
}

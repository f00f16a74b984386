//! Locks: what file parameters mean, by content alone.
//!
//! A lock holds a parameter to a content, wherever it lies and whatever it is called. Where the name in the graph leads
//! nowhere, or to something else, what has the content is looked for and stands in; where there is none, that is a fault.
//! Only what has the right size is ever read for it.

use std::path::PathBuf;

use indexmap::IndexMap;

use crate::fault::{Fault, FaultKind, Faults};
use crate::files::{Content, Files, Names, Piece};
use crate::graph::check::{Source, Wired, WiredNode};
use crate::graph::{Field, Graph, Mode, expand};
use crate::host::Host;
use crate::literal::Literal;
use crate::registry::Registry;
use crate::spec::{Input, ParamSpec};
use crate::survey::{Survey, survey};

/// A file or folder that stands in for a name, because it has the content that the name is locked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// The parameter, as `node.input`.
    pub at: String,
    /// What the graph calls it.
    pub name: String,
    /// What stands in.
    pub path: PathBuf,
}

impl std::fmt::Display for StandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, name, path } = self;
        write!(f, "`{at}`: `{}` stands in for `{name}`: it has the content that is locked", path.display())
    }
}

/// A file parameter and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// What the graph calls it.
    pub name: String,
    /// What it means.
    pub content: Content,
    /// What stands in for the name, if it leads nowhere by itself.
    pub stand_in: Option<StandIn>,
}

/// Holds a parameter to its lock; returns what stands in for its name, if something must.
pub(crate) fn hold(
    lock: &Content,
    literal: &Literal,
    param: &ParamSpec,
    files: &Files,
) -> Result<Option<(String, PathBuf)>, Fault> {
    let Literal::Text(name) = literal else { return Ok(None) };
    if let Some(other) = files.held(name) {
        let both = || format!("`{name}` is locked to one content here and to another elsewhere");
        let hint = "give the two files different names";
        return if other == *lock { Ok(None) } else { Err(Fault::graph(both()).hint(hint)) };
    }
    let lost = match param.pieces(literal, files).and_then(|pieces| is_it(lock, &pieces, files)) {
        Ok(true) => {
            files.hold(name, files.resolve(name)?, *lock);
            return Ok(None);
        }
        Err(fault) if fault.kind == FaultKind::Cancelled => return Err(fault),
        Err(fault) => Some(fault),
        Ok(false) => None,
    };
    for path in files.candidates(lock) {
        let trial = files.standing_in(name, path.clone(), *lock);
        match param.pieces(literal, &trial).and_then(|pieces| is_it(lock, &pieces, files)) {
            Ok(true) => {
                files.hold(name, path.clone(), *lock);
                return Ok(Some((name.clone(), path)));
            }
            Err(fault) if fault.kind == FaultKind::Cancelled => return Err(fault),
            // What cannot be read is not it.
            _ => {}
        }
    }
    Err(nowhere(lock, name, lost, files))
}

/// Tells whether files have a content. Only those of the right size are read.
fn is_it(lock: &Content, pieces: &[Piece], files: &Files) -> Result<bool, Fault> {
    let fits = pieces.len() == lock.files && Files::bytes(pieces)? == lock.bytes;
    Ok(fits && files.content(pieces)? == *lock)
}

/// The fault of a content that lies nowhere: `lost` says why the name does not resolve, if it does not.
fn nowhere(lock: &Content, name: &str, lost: Option<Fault>, files: &Files) -> Fault {
    let Content { sha256, bytes, .. } = lock;
    let told = format!("SHA-256 {sha256}, {bytes} bytes");
    let looked = format!("looked for it below {}", files.places().join(", "));
    match lost {
        None => Fault::file(format!("`{name}` is not the file that this workflow was locked to ({told})")).hint(
            format!("{looked}; get that file, whatever it is called, or write the lock anew with `darkroom lock`"),
        ),
        Some(fault) => {
            let message = format!("{}, and nothing else is what this workflow was locked to ({told})", fault.message);
            // The hint of a name that is an address says how to fetch it; any other says where was looked.
            let way = fault.hint.filter(|_| name.contains("://"));
            let way = way.unwrap_or_else(|| "put the file there, under any name".to_owned());
            Fault { message, hint: None, ..fault }.hint(format!("{looked}; {way}"))
        }
    }
}

/// Notes the locks that no file parameter stands behind.
pub(crate) fn check(graph: &Graph, wired: &Wired<'_>, faults: &mut Faults) {
    for at in graph.lock.keys() {
        let Some((id, name)) = at.split_once('.') else { continue };
        let node = graph.nodes.get_index_of(id).and_then(|index| wired.nodes[index].as_ref());
        // A node that is gone, or cannot be understood, needs no file.
        let Some(node) = node else { continue };
        let input = node.spec().input(name).filter(|(_, input)| input.param.as_ref().is_some_and(|it| it.outside));
        let stands = input.is_some_and(|(index, _)| !matches!(node.inputs[index], Source::Open));
        if !stands {
            let fault = Fault::graph(format!("`{at}` in `lock` is no parameter that names a file"))
                .hint("take the line out of `lock`, or write the lock anew with `darkroom lock`");
            faults.push(node.fault(fault).input(name));
        }
    }
}

/// Finds out what every file parameter of a graph means now, in the order of the file, so that it can be locked to that. A
/// parameter whose name leads nowhere, and that is locked already, keeps its lock if what it is locked to is found.
///
/// # Errors
/// Everything that is wrong with the graph, at once.
pub fn lock(graph: &Graph, registry: &Registry, host: &Host) -> Result<IndexMap<String, Locked>, Faults> {
    let host = host.apart();
    let mut flat = expand(graph, registry);
    let registry = flat.registry.clone();
    let graph = flat.graph.to_mut();
    let kept: Vec<_> = graph.lock.keys().filter(|at| is_lost(graph, at, &registry, host.files())).cloned().collect();
    graph.lock.retain(|at, _| kept.contains(at));
    let (wired, mut faults) = flat.wire(host.files());
    check(&flat.graph, &wired, &mut faults);
    let found = survey(&wired, &wired.order, &host, &host.files().named(Names::Provisional), &mut faults);
    flat.in_file_order(faults).or(())?;
    let (mut locked, mut faults) = (IndexMap::new(), Faults::default());
    for node in wired.nodes.iter().flatten() {
        for (input, source) in node.spec().inputs.iter().zip(&node.inputs) {
            match meant(input, source, &found, host.files()) {
                Ok(Some((name, content))) => {
                    let at = format!("{}.{}", node.id, input.name);
                    let stand_in = found.stand_ins.iter().find(|stand_in| stand_in.at == at).cloned();
                    locked.insert(at, Locked { name, content, stand_in });
                }
                Ok(None) => {}
                Err(fault) if is_idle(node, &fault) => {}
                Err(fault) => faults.push(node.fault(fault).input(input.name)),
            }
        }
    }
    flat.in_file_order(faults).or(locked)
}

/// Finds what stands in for the literal of a locked parameter, if something must and does.
pub fn stand_in(graph: &Graph, at: &str, registry: &Registry, host: &Host) -> Option<StandIn> {
    let (lock, (literal, param)) = (graph.lock.get(at)?, literal_at(graph, at, registry)?);
    let (name, path) = hold(lock, literal, param, &host.files().apart()).ok()??;
    Some(StandIn { at: at.to_owned(), name, path })
}

/// Tells whether the name that stands at a parameter leads nowhere.
fn is_lost(graph: &Graph, at: &str, registry: &Registry, files: &Files) -> bool {
    let fault = literal_at(graph, at, registry).and_then(|(literal, param)| param.pieces(literal, files).err());
    fault.is_some_and(|fault| fault.kind == FaultKind::File)
}

/// Returns the literal that stands at `node.input`, and how it is read.
fn literal_at<'g>(graph: &'g Graph, at: &str, registry: &'g Registry) -> Option<(&'g Literal, &'g ParamSpec)> {
    let (id, name) = at.split_once('.')?;
    let entry = graph.nodes.get(id)?;
    let Some(Field::Literal(literal)) = entry.fields.get(name) else { return None };
    let (_, input) = registry.get(&entry.kind)?.spec().input(name)?;
    Some((literal, input.param.as_ref().filter(|param| param.outside)?))
}

/// What a muted node lacks is nobody's fault.
fn is_idle(node: &WiredNode<'_>, fault: &Fault) -> bool {
    node.entry.mode == Mode::Muted && fault.kind == FaultKind::File
}

/// Returns the name that stands at an input, and what it means, if it is a file.
fn meant(
    input: &Input,
    source: &Source<'_>,
    found: &Survey,
    files: &Files,
) -> Result<Option<(String, Content)>, Fault> {
    let Some(param) = input.param.as_ref().filter(|param| param.outside) else { return Ok(None) };
    let literal = match *source {
        Source::Literal(literal) => Some(literal.clone()),
        Source::Default => param.default.clone(),
        Source::Link { node, output } => {
            let (node, output) = found.origin(node, output);
            let values = found.findings[node].as_ref().and_then(|finding| finding.values.as_ref());
            values.and_then(|values| values[output].literal())
        }
        Source::Open | Source::Broken => None,
    };
    let Some(literal @ Literal::Text(name)) = &literal else { return Ok(None) };
    let pieces = param.pieces(literal, files)?;
    if pieces.is_empty() { Ok(None) } else { Ok(Some((name.clone(), files.content(&pieces)?))) }
}

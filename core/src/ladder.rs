//! What nodes do when memory runs out, as data, and what was found to fit on this machine, so that the next run starts
//! there. Nothing depends on the memory of it: a file that is lost or damaged costs another climb.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::files::write_aside;
use crate::fingerprint::{Fingerprint, Hasher};
use crate::host::Host;
use crate::literal::Literal;
use crate::node::{Feed, Known, KnownInput};
use crate::plan::{Plan, Step, StepInput};
use crate::spec::Input;
use crate::types::Type;

/// One way to make do with less: a node's own parameters, set otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// What is done then, to stand before "instead": "decoded in tiles of 64".
    pub title: String,
    /// The parameters, and what they are set to.
    pub set: Vec<(&'static str, Literal)>,
}

impl Rung {
    /// Makes a rung that sets nothing yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), set: Vec::new() }
    }

    /// Sets a parameter.
    #[must_use]
    pub fn set(mut self, param: &'static str, literal: impl Into<Literal>) -> Self {
        self.set.push((param, literal.into()));
        self
    }
}

/// Returns the ladder of a step, from what the plan knows.
pub fn ladder_of(plan: &Plan, step: &Step, host: &Host) -> Vec<Rung> {
    let spec = step.node.spec();
    let inputs: Vec<_> =
        step.inputs.iter().zip(&spec.inputs).map(|(stands, input)| known(plan, stands, input)).collect();
    step.node.ladder(&Known { spec, host, inputs: &inputs })
}

fn known<'a>(plan: &'a Plan, stands: &'a StepInput, input: &'a Input) -> KnownInput<'a> {
    let literal = |literal| KnownInput { ty: None, from: None, feed: Some(Feed::Literal(literal)) };
    match stands {
        StepInput::Literal(given) => literal(given),
        StepInput::Default => match input.param.as_ref().and_then(|param| param.default.as_ref()) {
            Some(default) => literal(default),
            None => KnownInput { ty: None, from: None, feed: None },
        },
        StepInput::Value(value) => {
            KnownInput { ty: Some(value.describe()), from: None, feed: Some(Feed::Value(value.clone())) }
        }
        StepInput::Step { step, output } => {
            let from = &plan.steps[*step];
            KnownInput { ty: from.types.get(*output).cloned(), from: Some(&from.id), feed: None }
        }
        StepInput::Open => KnownInput { ty: None, from: None, feed: Some(Feed::Open) },
    }
}

/// Names the size of a step's work: its type, what its wires carry, what it makes, and the parameters that its ladder
/// changes. Seeds and texts have no part in it: they take no memory.
pub fn size_of(plan: &Plan, step: &Step, ladder: &[Rung]) -> Fingerprint {
    let spec = step.node.spec();
    let mut hasher = Hasher::new("size").text(spec.id).integer(i128::from(spec.version)).text(&plan.numerics);
    for (stands, input) in step.inputs.iter().zip(&spec.inputs) {
        let KnownInput { ty, feed, .. } = known(plan, stands, input);
        if let Some(ty) = &ty {
            hasher = type_of(hasher.text(input.name), ty);
        }
        if ladder.iter().flat_map(|rung| &rung.set).any(|(param, _)| *param == input.name) {
            hasher = match feed {
                Some(Feed::Literal(literal)) => hasher.text(input.name).fingerprint(literal.name()),
                Some(Feed::Value(value)) => hasher.text(input.name).fingerprint(value.name()),
                _ => hasher,
            };
        }
    }
    step.types.iter().fold(hasher, type_of).finish()
}

fn type_of(hasher: Hasher, ty: &Type) -> Hasher {
    let sizes = [ty.width, ty.height, ty.count].map(|size| size.map_or(-1, i128::from));
    let weights = ty.weights.map_or(-1, i128::from);
    let hasher = hasher.text(ty.kind.0).text(ty.family.as_deref().unwrap_or_default());
    sizes.into_iter().chain([weights]).fold(hasher, Hasher::integer)
}

/// Budgets that are alike, in bytes: four to each doubling, so that a budget that was read off the machine may waver.
fn alike(budget: u64) -> u64 {
    match budget.checked_ilog2() {
        Some(doublings) if doublings > 1 => budget >> (doublings - 2) << (doublings - 2),
        _ => budget,
    }
}

/// What was found to fit, by the size of the work.
#[derive(Debug, Default)]
pub struct Fits {
    path: Option<PathBuf>,
    known: BTreeMap<Fingerprint, Fit>,
    warning: Option<String>,
    changed: bool,
}

/// A rung that fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Fit {
    /// The node's type, for whoever reads the file.
    node: String,
    /// The rung's title.
    rung: String,
    /// The budget that the rung before it did not fit into, in bytes.
    budget: u64,
}

/// Sizes that are remembered; beyond this the file starts anew.
const MOST: usize = 4096;

/// Bytes of the largest file that is read.
const FILE_BYTES: u64 = 4 << 20;

impl Fits {
    /// Remembers nothing beyond this process.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Opens what was remembered in a file. One that is missing is an empty one; one that is damaged too, with a warning.
    pub fn open(path: &Path) -> Self {
        let mut fits = Self { path: Some(path.to_owned()), ..Self::default() };
        match read(path) {
            Ok(known) => fits.known = known,
            Err(why) => {
                fits.warning = Some(format!("what fitted into memory before is forgotten: `{}` {why}", path.display()));
                fits.changed = true;
            }
        }
        fits
    }

    /// Returns the title of the rung that fitted, unless there is more room now.
    pub fn rung(&self, size: Fingerprint, budget: u64) -> Option<&str> {
        let fit = self.known.get(&size).filter(|fit| alike(budget) <= fit.budget)?;
        Some(&fit.rung)
    }

    /// Tells whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Remembers that a rung fitted, and none before it.
    pub fn note(&mut self, size: Fingerprint, node: &str, rung: &str, budget: u64) {
        let fit = Fit { node: node.to_owned(), rung: rung.to_owned(), budget: alike(budget) };
        if self.known.get(&size) == Some(&fit) {
            return;
        }
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(size, fit);
        self.changed = true;
    }

    /// Forgets everything, and removes the file.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn forget(&mut self) -> Result<(), Fault> {
        self.known.clear();
        (self.warning, self.changed) = (None, false);
        match self.path.as_ref().map(|path| (path, std::fs::remove_file(path))) {
            Some((path, Err(error))) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Fault::io("remove", path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Writes down what is remembered, if there is a file and something changed.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn save(&mut self) -> Result<(), Fault> {
        let Some(path) = self.path.as_ref().filter(|_| self.changed) else { return Ok(()) };
        // Another process may have found out about other sizes meanwhile.
        for (size, fit) in read(path).unwrap_or_default() {
            self.known.entry(size).or_insert(fit);
        }
        let text = serde_json::to_vec_pretty(&self.known).expect("names and numbers are always valid JSON");
        write_aside(path, &text)?;
        self.changed = false;
        Ok(())
    }

    /// Returns what a person should know of the file, once.
    pub fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

/// Reads the file, or says what is wrong with it.
fn read(path: &Path) -> Result<BTreeMap<Fingerprint, Fit>, String> {
    match std::fs::metadata(path) {
        Ok(about) if about.is_file() && about.len() <= FILE_BYTES => {}
        Ok(_) => return Err("is not what was written there".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(_) => return Err("cannot be read".to_owned()),
    }
    let bytes = std::fs::read(path).map_err(|_| "cannot be read".to_owned())?;
    serde_json::from_slice(&bytes).map_err(|_| "is damaged".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn size() -> Fingerprint {
        Fingerprint::of_bytes(b"1024")
    }

    #[test]
    fn what_fitted_is_remembered_until_there_is_more_room() {
        let mut fits = Fits::in_memory();
        fits.note(size(), "vae_decode", "decoded in tiles of 64", 4 * GIB);
        assert_eq!(fits.rung(size(), 4 * GIB), Some("decoded in tiles of 64"));
        assert_eq!(fits.rung(size(), 4 * GIB + (GIB >> 1)), Some("decoded in tiles of 64"));
        assert_eq!(fits.rung(size(), 3 * GIB), Some("decoded in tiles of 64"));
        assert_eq!(fits.rung(size(), 5 * GIB), None);
        assert_eq!(fits.rung(Fingerprint::of_bytes(b"512"), 4 * GIB), None);
    }

    #[test]
    fn the_next_process_remembers_until_it_is_told_to_forget() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("fits.json");
        let mut fits = Fits::open(&path);
        fits.note(size(), "vae_decode", "decoded in tiles of 64", GIB);
        fits.save().expect("it can be written");
        let mut later = Fits::open(&path);
        assert_eq!((later.rung(size(), GIB), later.warning.is_none()), (Some("decoded in tiles of 64"), true));
        later.forget().expect("it can be removed");
        later.forget().expect("what is gone is gone");
        assert!(later.is_empty() && !path.exists());
    }

    #[test]
    fn a_damaged_file_is_forgotten_with_one_warning() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("fits.json");
        for damage in ["torn {", "[1, 2]", "{\"x\": 1}"] {
            std::fs::write(&path, damage).expect("a file");
            let mut fits = Fits::open(&path);
            assert!(fits.is_empty());
            assert!(fits.take_warning().expect("it is said").contains("forgotten"));
            assert_eq!(fits.take_warning(), None);
            fits.save().expect("it can be written");
            assert_eq!(Fits::open(&path).take_warning(), None);
        }
    }
}

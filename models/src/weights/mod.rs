//! Weights asked for by name and shape.
//!
//! A network reads like its architecture: `w.at("conv_in").get("weight", (320, 4, 3, 3))?`. A tensor that is missing
//! or misshapen does not end the loading: it is noted, a stand-in is returned, and [`Weights::finish`] reports all of
//! them together. Only safetensors is read: no code of ours executes a pickle.

mod convert;
pub(crate) mod find;
mod header;
mod random;
mod report;
mod sniff;
pub(crate) mod source;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use candle_core::{DType, Device, Shape, Tensor};

pub use report::Report;
pub use source::Bytes;

use crate::{
    Error, Result,
    lora::{Patch, Patches},
};
use find::Index;
use header::{Entry, Stored};
use source::Source;

/// How weight files are opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Map files instead of reading them. Turn it off on network file systems and for files that may be cut short while
    /// they are in use: reading a vanished part of a map ends the process.
    pub mmap: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { mmap: true }
    }
}

/// A scope into a set of named tensors; cheap to clone.
#[derive(Clone)]
pub struct Weights {
    set: Arc<Set>,
    /// Empty, or names joined and ended by a dot.
    prefix: String,
    dtype: DType,
    /// Whether values are left out, as if the set were dry.
    hollow: bool,
    /// What was handed out, where that is remembered.
    vault: Option<Arc<Vault>>,
    patches: Arc<Patches>,
}

/// Tensors that were handed out, by name and precision; they are shared with the network that got them.
#[derive(Default)]
struct Vault(Mutex<HashMap<(String, DType), Tensor>>);

impl Vault {
    fn tensors(&self) -> MutexGuard<'_, HashMap<(String, DType), Tensor>> {
        self.0.lock().expect("no code panics while it holds the vault")
    }
}

struct Set {
    path: PathBuf,
    tensors: BTreeMap<String, Stock>,
    sources: Vec<Source>,
    dry: bool,
    /// Where values are made up instead of read.
    seed: Option<u64>,
    notes: Mutex<Report>,
    /// How many tensors were read.
    reads: AtomicUsize,
}

/// Where a tensor lies.
struct Stock {
    stored: Stored,
    shape: Vec<usize>,
    source: usize,
    offset: u64,
    length: usize,
}

impl Weights {
    /// Opens a safetensors file, or the folder of a component, mapped.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, Options::default())
    }

    /// Opens a safetensors file, or the folder of a component.
    pub fn open_with(path: &Path, options: Options) -> Result<Self> {
        let mut set = Set::new(path);
        if !path.is_dir() {
            set.add(Source::open(path, options.mmap)?)?;
            return Ok(Self::whole(set));
        }
        let found = find::in_folder(path)?;
        for file in &found.files {
            set.add(Source::open(file, options.mmap)?)?;
        }
        if let Some(index) = &found.index {
            set.check_index(index)?;
        }
        Ok(Self::whole(set))
    }

    /// Takes a safetensors file that is in memory; `name` stands in for its path in messages.
    pub fn from_bytes(name: &str, bytes: impl Into<Bytes>) -> Result<Self> {
        let mut set = Set::new(Path::new(name));
        set.add(Source::memory(name, bytes.into()))?;
        Ok(Self::whole(set))
    }

    /// Makes weights of names and shapes alone: every tensor reads as zeros that take no memory.
    pub fn dry(name: &str, tensors: impl IntoIterator<Item = (String, Vec<usize>)>) -> Self {
        let mut set = Set::new(Path::new(name));
        set.dry = true;
        for (name, shape) in tensors {
            let length = shape.iter().product::<usize>() * Stored::F32.size();
            set.tensors.insert(name, Stock { stored: Stored::F32, shape, source: 0, offset: 0, length });
        }
        Self::whole(set)
    }

    /// Makes weights of names and shapes alone, filled with noise at the time they are asked for: for benches, where a
    /// network has to compute and nobody looks at what.
    ///
    /// Matrices and convolutions keep the size of what goes through them, gains are 1, biases 0.
    pub fn random(name: &str, tensors: impl IntoIterator<Item = (String, Vec<usize>)>, seed: u64) -> Self {
        let dry = Self::dry(name, tensors);
        let mut set = Arc::into_inner(dry.set).expect("nobody else has it yet");
        (set.dry, set.seed) = (false, Some(seed));
        Self::whole(set)
    }

    fn whole(set: Set) -> Self {
        let patches = Arc::default();
        Self { set: Arc::new(set), prefix: String::new(), dtype: DType::F32, hollow: false, vault: None, patches }
    }

    /// Sets the precision that tensors are handed out in; f32 unless told otherwise.
    pub fn with_precision(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Remembers every tensor that is handed out from here on, and hands it out again without reading it. Kept beside a
    /// network it costs nothing, for the tensors are the network's.
    pub fn with_vault(mut self) -> Self {
        self.vault = Some(Arc::default());
        self
    }

    /// Returns the same tensors for a network whose layers change them at use.
    pub fn with_patches(mut self, patches: Patches) -> Self {
        self.patches = Arc::new(patches);
        self
    }

    /// Returns the changes of the layer whose scope this is.
    pub(crate) fn patches(&self) -> &[Patch] {
        self.patches.of(self.prefix.strip_suffix('.').unwrap_or(&self.prefix))
    }

    /// Returns the same tensors without their values: what is asked for is checked and noted, and nothing is read.
    pub fn hollow(&self) -> Weights {
        Self { hollow: true, ..self.clone() }
    }

    /// Returns the scope below `name`; `w.at("a").at(0)` asks for `a.0.*`.
    pub fn at(&self, name: impl fmt::Display) -> Weights {
        Self { prefix: format!("{}{name}.", self.prefix), ..self.clone() }
    }

    /// Returns the tensor `name` of this scope, of shape `shape`, on the CPU.
    ///
    /// One that is missing, misshapen or not of a float format is noted for [`Weights::finish`], and zeros of the
    /// wanted shape that take no memory come instead. Fails only where the bytes cannot be read.
    pub fn get(&self, name: &str, shape: impl Into<Shape>) -> Result<Tensor> {
        let (name, wanted) = (self.full(name), shape.into());
        let Some(stock) = self.set.tensors.get(&name) else {
            self.notes().missing.insert(name, wanted.dims().to_vec());
            return stand_in(self.dtype, &wanted);
        };
        *self.notes().consumed.entry(name.clone()).or_default() += 1;
        if stock.shape != wanted.dims() {
            let both = (wanted.dims().to_vec(), stock.shape.clone());
            self.notes().misshapen.insert(name, both);
            return stand_in(self.dtype, &wanted);
        }
        if !stock.stored.is_float() {
            self.notes().wrong_type.insert(name, wrong_type(stock.stored));
            return stand_in(self.dtype, &wanted);
        }
        if self.set.dry || self.hollow {
            return stand_in(self.dtype, &wanted);
        }
        if let Some(seed) = self.set.seed {
            return random::tensor(&name, &stock.shape, seed, self.dtype);
        }
        let kept = self.vault.as_ref().and_then(|vault| vault.tensors().get(&(name.clone(), self.dtype)).cloned());
        if let Some(kept) = kept {
            return Ok(kept);
        }
        self.set.reads.fetch_add(1, Ordering::Relaxed);
        let bytes = self.set.sources[stock.source].read(stock.offset, stock.length)?;
        let tensor = convert::tensor(&bytes, stock.stored, &stock.shape, self.dtype)?;
        if let Some(vault) = &self.vault {
            vault.tensors().insert((name, self.dtype), tensor.clone());
        }
        Ok(tensor)
    }

    /// Returns the tensor `name` of this scope in the shape and the precision of the file, f32 in place of f64.
    ///
    /// As with [`Weights::get`], one that is missing or not of a float format is noted.
    pub fn get_as_stored(&self, name: &str) -> Result<Tensor> {
        let (shape, dtype) = match self.set.tensors.get(&self.full(name)) {
            Some(stock) if stock.stored == Stored::F16 => (stock.shape.clone(), DType::F16),
            Some(stock) if stock.stored == Stored::BF16 => (stock.shape.clone(), DType::BF16),
            Some(stock) => (stock.shape.clone(), DType::F32),
            None => (Vec::new(), DType::F32),
        };
        self.clone().with_precision(dtype).get(name, shape)
    }

    /// Returns the names of the tensors of this scope, sorted.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.scoped().map(|(name, _)| name[self.prefix.len()..].to_owned())
    }

    /// Returns how many tensors were read from the source so far.
    pub fn reads(&self) -> usize {
        self.set.reads.load(Ordering::Relaxed)
    }

    /// Returns the file or folder, or the name of an embedded one.
    pub fn path(&self) -> &Path {
        &self.set.path
    }

    /// Lists the names of this scope, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.scoped().map(|(name, _)| &name[self.prefix.len()..])
    }

    /// Tells whether this scope holds the tensor `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.set.tensors.contains_key(&self.full(name))
    }

    /// Returns the shape of the tensor `name` of this scope.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.set.tensors.get(&self.full(name))?.shape.clone())
    }

    /// Returns the file or folder, or the name of an embedded one.
    pub fn path(&self) -> &Path {
        &self.set.path
    }

    /// Tells whether there are shapes only.
    pub fn is_dry(&self) -> bool {
        self.set.dry || self.hollow
    }

    /// Returns how many bytes the tensors of this scope take in the file.
    pub fn bytes(&self) -> u64 {
        self.scoped().map(|(_, stock)| stock.length as u64).sum()
    }

    /// Returns how many bytes the tensors of this scope take once loaded, in the precision that was asked for.
    pub fn loaded_bytes(&self) -> u64 {
        let numbers = self.scoped().map(|(_, stock)| stock.shape.iter().product::<usize>() as u64);
        numbers.sum::<u64>() * self.dtype.size_in_bytes() as u64
    }

    /// Ends a loading: fails with everything that did not fit below this scope, or returns what was consumed and what
    /// was not asked for. Tensors can still be read again afterwards.
    pub fn finish(&self) -> Result<Report> {
        let mut report = self.notes().clone();
        let ours = |name: &str| name.starts_with(&self.prefix);
        report.missing.retain(|name, _| ours(name));
        report.misshapen.retain(|name, _| ours(name));
        report.wrong_type.retain(|name, _| ours(name));
        report.consumed.retain(|name, _| ours(name));
        let unasked = self.scoped().map(|(name, _)| name).filter(|name| !report.consumed.contains_key(*name));
        // Old exports of the text encoders store the numbers 0 to 76, which no network asks for.
        report.unexpected = unasked.filter(|name| !name.ends_with(".position_ids")).cloned().collect();
        match report.is_complete() {
            true => Ok(report),
            false => Err(Error::Weights(Box::new(report))),
        }
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn scoped(&self) -> impl Iterator<Item = (&String, &Stock)> {
        let ours = self.set.tensors.range(self.prefix.clone()..);
        ours.take_while(|(name, _)| name.starts_with(&self.prefix))
    }

    fn notes(&self) -> MutexGuard<'_, Report> {
        self.set.notes.lock().expect("no code panics while it holds the notes")
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weights({}, `{}*`, {:?})", self.set.path.display(), self.prefix, self.dtype)
    }
}

impl Set {
    fn new(path: &Path) -> Self {
        let notes = Mutex::new(Report { path: path.into(), ..Report::default() });
        let (tensors, sources, reads) = (BTreeMap::new(), Vec::new(), AtomicUsize::new(0));
        Self { path: path.into(), tensors, sources, dry: false, seed: None, notes, reads }
    }

    /// Reads the header of a file and takes in its tensors.
    fn add(&mut self, source: Source) -> Result<()> {
        let fault = |what| Error::format(&source.path, what);
        let header = source.header()?;
        let data_at = 8 + header.len() as u64;
        let entries = header::parse(&header, source.length - data_at).map_err(fault)?;
        for (name, entry) in entries {
            let Entry { stored, shape, begin, end } = entry;
            if self.tensors.contains_key(&name) {
                return Err(fault(format!("tensor `{name}` stands in another shard too")));
            }
            let (offset, length) = (data_at + begin as u64, end - begin);
            let stock = Stock { stored, shape, source: self.sources.len(), offset, length };
            self.tensors.insert(name, stock);
        }
        self.sources.push(source);
        Ok(())
    }

    /// Makes sure that each tensor of the index lies in a shard.
    fn check_index(&self, index: &Index) -> Result<()> {
        for (name, shard) in &index.shards {
            if !self.tensors.contains_key(name) {
                let what = format!("the index puts tensor `{name}` into `{shard}`, and no shard holds it");
                return Err(Error::format(&index.path, what).with_hint("download index and shards again"));
            }
        }
        Ok(())
    }
}

/// Zeros of any shape that take the memory of one.
fn stand_in(dtype: DType, shape: &Shape) -> Result<Tensor> {
    Ok(Tensor::zeros((), dtype, &Device::Cpu)?.broadcast_as(shape.clone())?)
}

fn wrong_type(found: Stored) -> String {
    match found {
        Stored::F8_E4M3 | Stored::F8_E5M2 => {
            format!("wanted F16, BF16 or F32, found {found}, which is not read yet")
        }
        _ => format!("wanted a float format, found {found}"),
    }
}

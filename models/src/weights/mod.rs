//! Weights asked for by name and shape.
//!
//! A network reads like its architecture: `w.at("conv_in").get("weight", (320, 4, 3, 3))?`. A tensor that is missing
//! or misshapen does not end the loading: it is noted, a stand-in is returned, and [`Weights::finish`] reports all of
//! them together. Safetensors and GGUF are read: no code of ours executes a pickle. Files that name their tensors for
//! another program are read through a view ([`Weights::view`]).

mod convert;
pub(crate) mod find;
pub(crate) mod format;
mod gguf;
pub(crate) mod header;
mod loaded;
mod packed;
mod random;
mod remote;
mod report;
pub(crate) mod rows;
mod set;
mod sniff;
pub(crate) mod source;
#[cfg(test)]
mod tests;
mod view;

use std::{
    any::Any,
    collections::HashMap,
    ffi::OsStr,
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, atomic::Ordering},
};

use candle_core::{DType, Device, Shape, Tensor};

pub use packed::{EightBits, Packed};
pub use report::Report;
pub use source::Bytes;
pub use view::{Op, Origin};

use crate::{
    Error, Result,
    lora::{Patch, Patches},
    nn::Compute,
};
use format::Format;
use header::Stored;
use rows::{Allowance, FileRows};
use set::{Order, Set, Stock};
use source::Source;

/// How weight files are opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Map files instead of reading them. Turn it off for files that may be cut short while they are in use: reading a
    /// vanished part of a map ends the process. Files on network file systems are read in any case.
    pub mmap: bool,
}

impl Default for Options {
    /// Maps files, unless the environment says `DARKROOM_MMAP=0`.
    fn default() -> Self {
        Self::worded(std::env::var_os("DARKROOM_MMAP").as_deref())
    }
}

impl Options {
    fn worded(mmap: Option<&OsStr>) -> Self {
        Self { mmap: mmap.is_none_or(|word| word != "0") }
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
    compute: Compute,
    /// How much stays in memory, where not all does.
    allowance: Option<Arc<Allowance>>,
}

/// Tensors that were handed out, by name and precision; they are shared with the network that got them.
#[derive(Default)]
struct Vault {
    tensors: Mutex<HashMap<(String, DType), Tensor>>,
    packed: Mutex<HashMap<String, Packed>>,
    made: Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>,
}

/// Finds what was kept under a key, or makes it and keeps it.
fn kept<K: std::hash::Hash + Eq, V: Clone>(
    shelf: Option<&Mutex<HashMap<K, V>>>,
    key: K,
    make: impl FnOnce() -> Result<V>,
) -> Result<V> {
    let Some(shelf) = shelf else { return make() };
    let open = || shelf.lock().expect("no code panics while it holds the vault");
    if let Some(kept) = open().get(&key).cloned() {
        return Ok(kept);
    }
    let made = make()?;
    open().insert(key, made.clone());
    Ok(made)
}

impl Weights {
    /// Opens a safetensors or GGUF file, or the folder of a component, mapped where that is safe.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, Options::default())
    }

    /// Opens a safetensors or GGUF file, or the folder of a component.
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

    /// Takes a safetensors or GGUF file that is in memory; `name` stands in for its path in messages.
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
            let (format, order) = (Format::Plain(Stored::F32), Order::Stored);
            set.tensors.insert(name, Stock { format, shape, source: 0, offset: 0, length, order, scale: None });
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
        Self {
            set: Arc::new(set),
            prefix: String::new(),
            dtype: DType::F32,
            hollow: false,
            vault: None,
            patches,
            compute: Compute::default(),
            allowance: None,
        }
    }

    /// Sets the precision that tensors are handed out in; f32 unless told otherwise.
    pub fn with_precision(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Says with what the networks compute that are loaded from here.
    #[must_use]
    pub fn with_compute(mut self, compute: Compute) -> Self {
        self.compute = compute;
        self
    }

    /// Returns with what the networks compute that are loaded from here.
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Lets a network that is loaded from here keep so many bytes in memory, as [`Weights::loaded_bytes`] counts them: the
    /// big weights beyond are read from their file at each use. What it computes does not change by a bit.
    ///
    /// Vectors and tables stay in any case ([`Weights::least_bytes`]), and so do made-up weights.
    #[must_use]
    pub fn staying_within(mut self, bytes: u64) -> Self {
        let rest = bytes.saturating_sub(self.least_bytes());
        self.allowance = (bytes < self.loaded_bytes()).then(|| Arc::new(Allowance::new(rest)));
        self
    }

    /// Lets the layers that are changed keep so many bytes in memory, beside those that they are made of; the others are
    /// read and changed at each use.
    #[must_use]
    pub fn changes_within(mut self, bytes: u64) -> Self {
        self.allowance = Some(Arc::new(Allowance::new(bytes)));
        self
    }

    /// Returns how many bytes the layers take that are changed.
    pub fn changed_bytes(&self) -> u64 {
        let changed = |(name, stock): &(&String, &Stock)| self.is_changed(name) && !stock.stays(name);
        self.scoped().filter(changed).map(|(name, stock)| self.loaded(name, stock)).sum()
    }

    fn is_changed(&self, name: &str) -> bool {
        name.strip_suffix(".weight").is_some_and(|layer| !self.patches.of(layer).is_empty())
    }

    /// Returns the order of what is read at each use, if the big weight `name` of this scope has to be.
    pub(crate) fn read_at_use(&self, name: &str) -> Option<Arc<rows::Ahead>> {
        let allowance = self.allowance.as_ref().filter(|_| self.set.seed.is_none())?;
        let name = self.full(name);
        let bytes = self.set.tensors.get(&name).map_or(0, |stock| self.loaded(&name, stock));
        (!allowance.take(bytes)).then(|| Arc::clone(&allowance.ahead))
    }

    /// Returns the format of a tensor of this scope in the file.
    pub(crate) fn format(&self, name: &str) -> Option<Format> {
        self.set.tensors.get(&self.full(name)).map(|stock| stock.format)
    }

    /// Returns the rows of a big weight in its file, where they lie there as they are wanted; notes that it was asked for.
    pub(crate) fn rows(&self, name: &str, shape: &[usize]) -> Option<FileRows> {
        let full = self.full(name);
        let is_there = |stock: &&Stock| stock.shape == shape && stock.order == Order::Stored;
        let stock = self.set.tensors.get(&full).filter(is_there)?;
        let Format::Plain(stored) = stock.format else { return None };
        // Where another precision is wanted than that of the file, numbers are converted whole.
        let is_wanted = match (self.dtype, stored) {
            (DType::F32, _) => true,
            (DType::F16, stored) => matches!(stored, Stored::F16) || stored.size() == 1,
            (DType::BF16, stored) => matches!(stored, Stored::BF16) || stored.size() == 1,
            _ => false,
        };
        if !is_wanted || self.is_dry() || self.set.seed.is_some() || shape.contains(&0) {
            return None;
        }
        let scale = match &stock.scale {
            Some(scale) => self.set.read(scale, DType::F32).ok()?.flatten_all().ok()?.to_vec1::<f32>().ok()?[0],
            None => 1.0,
        };
        let place = (self.set.sources[stock.source].clone(), stock.offset, stock.length);
        let rows = FileRows::new(place, stored, scale)?;
        self.set.reads.fetch_add(1, Ordering::Relaxed);
        *self.notes().consumed.entry(full).or_default() += 1;
        Some(rows)
    }

    /// Returns the same tensors without the memory of those that were handed out, and the one `name` in the precision of
    /// its file, if no narrower one is wanted.
    pub(crate) fn as_stored(&self, name: &str) -> Weights {
        let stored = self.set.tensors.get(&self.full(name)).map(|stock| stock.format);
        let dtype = match (self.dtype, stored) {
            (DType::F32, Some(Format::Plain(Stored::F16))) => DType::F16,
            (DType::F32, Some(Format::Plain(Stored::BF16))) => DType::BF16,
            (dtype, _) => dtype,
        };
        Self { dtype, vault: None, ..self.clone() }
    }

    /// Returns what was made of the tensors of this scope under `key`, or makes it; where layers are changed, each time.
    pub(crate) fn shared<T: Clone + Send + Sync + 'static>(
        &self,
        key: &str,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let shelf = self.vault.as_ref().filter(|_| self.patches().is_empty()).map(|vault| &vault.made);
        let key = format!("{}{key} {} {:?}", self.prefix, self.compute.numerics(), self.dtype);
        let made = kept(shelf, key, || make().map(|made| Arc::new(made) as Arc<dyn Any + Send + Sync>))?;
        // Names and shapes are noted however often a tensor is asked for; what is shared was checked when it was made.
        Ok(made.downcast_ref::<T>().expect("a key stands for one type").clone())
    }

    /// Returns the same layer without its changes, where it has some and what is made of it is remembered.
    pub(crate) fn unchanged(&self) -> Option<Weights> {
        let is_changed = self.vault.is_some() && !self.patches().is_empty();
        is_changed.then(|| Self { patches: Arc::default(), allowance: None, ..self.clone() })
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
        let Some(stock) = self.checked(&name, &wanted) else {
            return stand_in(self.dtype, &wanted);
        };
        if self.is_dry() {
            return stand_in(self.dtype, &wanted);
        }
        match self.set.seed {
            Some(seed) => random::tensor(&name, &stock.shape, seed, self.dtype),
            None => {
                let shelf = self.vault.as_ref().map(|vault| &vault.tensors);
                kept(shelf, (name, self.dtype), || self.set.read(stock, self.dtype))
            }
        }
    }

    /// Returns the tensor `name` of this scope in the bytes of its file, if that is smaller than any precision: eight-bit
    /// floats or blocks. For everything else, and for all that [`Weights::get`] would note, nothing is done.
    pub fn packed(&self, name: &str, shape: impl Into<Shape>) -> Result<Option<Packed>> {
        let (name, wanted) = (self.full(name), shape.into());
        let is_small =
            |stock: &&Stock| stock.shape == wanted.dims() && stock.format.is_small() && stock.order == Order::Stored;
        match self.set.tensors.get(&name).filter(is_small) {
            Some(stock) if !self.is_dry() && self.set.seed.is_none() => {
                let shelf = self.vault.as_ref().map(|vault| &vault.packed);
                let packed = kept(shelf, name.clone(), || self.set.pack(stock))?;
                *self.notes().consumed.entry(name).or_default() += 1;
                Ok(Some(packed))
            }
            _ => Ok(None),
        }
    }

    /// Finds a tensor that can be handed out as it is wanted; notes that it was asked for, or what is wrong with it.
    fn checked(&self, name: &str, wanted: &Shape) -> Option<&Stock> {
        let mut notes = self.notes();
        let Some(stock) = self.set.tensors.get(name) else {
            notes.missing.insert(name.into(), wanted.dims().to_vec());
            return None;
        };
        *notes.consumed.entry(name.into()).or_default() += 1;
        if stock.shape != wanted.dims() {
            notes.misshapen.insert(name.into(), (wanted.dims().to_vec(), stock.shape.clone()));
            return None;
        }
        if !stock.format.is_float() {
            notes.wrong_type.insert(name.into(), format!("wanted a float format, found {}", stock.format));
            return None;
        }
        Some(stock)
    }

    /// Returns the tensor `name` of this scope in the shape and the precision of the file, f32 in place of others.
    ///
    /// As with [`Weights::get`], one that is missing or not of a float format is noted.
    pub fn get_as_stored(&self, name: &str) -> Result<Tensor> {
        let (shape, dtype) = match self.set.tensors.get(&self.full(name)) {
            Some(stock) => match stock.format {
                Format::Plain(Stored::F16) => (stock.shape.clone(), DType::F16),
                Format::Plain(Stored::BF16) => (stock.shape.clone(), DType::BF16),
                _ => (stock.shape.clone(), DType::F32),
            },
            None => (Vec::new(), DType::F32),
        };
        self.clone().with_precision(dtype).get(name, shape)
    }

    /// Lists the names of this scope, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.scoped().map(|(name, _)| &name[self.prefix.len()..])
    }

    /// Returns how many tensors were read from the source so far.
    pub fn reads(&self) -> usize {
        self.set.reads.load(Ordering::Relaxed)
    }

    /// Tells whether this scope holds the tensor `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.set.tensors.contains_key(&self.full(name))
    }

    /// Returns the shape of the tensor `name` of this scope.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.set.tensors.get(&self.full(name))?.shape.clone())
    }

    /// Lists the tensors of this scope, by name below it, and their shapes.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.scoped().map(|(name, stock)| (&name[self.prefix.len()..], &stock.shape[..]))
    }

    /// Lists how many tensors of this scope have each number format, the most frequent first.
    pub fn formats(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for name in self.scoped().map(|(_, stock)| stock.format.to_string()) {
            match counts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
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

    /// Returns how many bytes the tensors of this scope take once a network has loaded them that computes as
    /// [`Weights::with_compute`] was told.
    pub fn loaded_bytes(&self) -> u64 {
        self.scoped().map(|(name, stock)| self.loaded(name, stock)).sum()
    }

    /// Returns how many of them are there even if all big weights are read at each use ([`Weights::staying_within`]).
    pub fn least_bytes(&self) -> u64 {
        let stays = |(name, stock): &(&String, &Stock)| stock.stays(name);
        self.scoped().filter(stays).map(|(name, stock)| self.loaded(name, stock)).sum()
    }

    fn loaded(&self, name: &str, stock: &Stock) -> u64 {
        let (dtype, mode) = (self.dtype, self.compute.mode());
        if let Some(factor) = self.compute.card_bytes() {
            return stock.bytes_on_card(name, dtype, factor);
        }
        match self.is_changed(name) {
            // A changed weight has the numbers of no file.
            true => Stock { format: Format::Plain(Stored::F32), ..stock.clone() }.loaded_bytes(name, dtype, mode),
            false => stock.loaded_bytes(name, dtype, mode),
        }
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

/// Zeros of any shape that take the memory of one.
fn stand_in(dtype: DType, shape: &Shape) -> Result<Tensor> {
    Ok(Tensor::zeros((), dtype, &Device::Cpu)?.broadcast_as(shape.clone())?)
}

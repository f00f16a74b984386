//! The tensors of one or several files, by name: what [`Weights`](super::Weights) is a scope into.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use candle_core::{DType, Tensor};

use super::{
    Packed, Report, convert,
    find::Index,
    format::Format,
    gguf,
    header::{self, Stored},
    source::Source,
};
use crate::{Error, Result};

/// Named tensors and the files that they lie in.
pub struct Set {
    pub path: PathBuf,
    pub tensors: BTreeMap<String, Stock>,
    pub sources: Vec<Arc<Source>>,
    pub dry: bool,
    /// Where values are made up instead of read.
    pub seed: Option<u64>,
    pub notes: Mutex<Report>,
    /// How many tensors were read.
    pub reads: AtomicUsize,
}

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub struct Stock {
    pub format: Format,
    /// As it is handed out.
    pub shape: Vec<usize>,
    pub source: usize,
    pub offset: u64,
    pub length: usize,
    pub order: Order,
    /// One number that all others are multiplied by.
    pub scale: Option<Box<Stock>>,
}

/// How the numbers of a matrix follow each other in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they are handed out.
    Stored,
    /// Column by column of what is handed out.
    Transposed,
}

/// How programs call the number that belongs to an eight-bit weight, beside `weight`.
const SCALES: [&str; 2] = ["scale_weight", "weight_scale"];
/// What some write beside it: the scale of activations, which are not quantised here, and a description.
const IDLE: [&str; 3] = ["scale_input", "input_scale", "comfy_quant"];
/// The tensor by which ComfyUI tells that a file's eight-bit weights have scales.
const MARK: &str = "scaled_fp8";

impl Set {
    pub fn new(path: &Path) -> Self {
        let notes = Mutex::new(Report { path: path.into(), ..Report::default() });
        let (tensors, sources, reads) = (BTreeMap::new(), Vec::new(), AtomicUsize::new(0));
        Self { path: path.into(), tensors, sources, dry: false, seed: None, notes, reads }
    }

    /// Reads the header of a file and takes in its tensors.
    pub fn add(&mut self, source: Source) -> Result<()> {
        let fault = |what| Error::format(&source.path, what);
        for (name, mut stock) in stocks(&source)? {
            if self.tensors.contains_key(&name) {
                return Err(fault(format!("tensor `{name}` stands in another shard too")));
            }
            stock.source = self.sources.len();
            self.tensors.insert(name, stock);
        }
        self.sources.push(Arc::new(source));
        self.join_scales();
        Ok(())
    }

    /// Gives eight-bit weights the scales that stand beside them.
    fn join_scales(&mut self) {
        let is_eight_bits = |stock: &Stock| matches!(stock.format, Format::Plain(Stored::F8_E4M3 | Stored::F8_E5M2));
        let weights = self.tensors.iter().filter(|(name, stock)| name.ends_with(".weight") && is_eight_bits(stock));
        let layers: Vec<String> = weights.map(|(name, _)| name.trim_end_matches("weight").to_owned()).collect();
        for layer in layers {
            let is_scale = |stock: &Stock| stock.shape.iter().product::<usize>() == 1 && stock.format.is_float();
            let name = SCALES.iter().map(|scale| format!("{layer}{scale}"));
            let name = name.into_iter().find(|name| self.tensors.get(name).is_some_and(is_scale));
            let scale = name.and_then(|name| self.tensors.remove(&name));
            IDLE.iter().for_each(|idle| drop(self.tensors.remove(&format!("{layer}{idle}"))));
            let weight = self.tensors.get_mut(&format!("{layer}weight")).expect("it was listed above");
            weight.scale = scale.map(Box::new);
        }
        self.tensors.retain(|name, _| name != MARK && !name.ends_with(&format!(".{MARK}")));
    }

    /// Makes sure that each tensor of the index lies in a shard.
    pub fn check_index(&self, index: &Index) -> Result<()> {
        for (name, shard) in &index.shards {
            if !self.tensors.contains_key(name) && !is_companion(name) {
                let what = format!("the index puts tensor `{name}` into `{shard}`, and no shard holds it");
                return Err(Error::format(&index.path, what).with_hint("download index and shards again"));
            }
        }
        Ok(())
    }

    /// Reads a tensor into memory, as `dtype`.
    pub fn read(&self, stock: &Stock, dtype: DType) -> Result<Tensor> {
        let mut shape = stock.shape.clone();
        if stock.order == Order::Transposed {
            shape.reverse();
        }
        let tensor = match (stock.format, &stock.scale) {
            (Format::Plain(stored), None) => {
                self.with_bytes(stock, |bytes| convert::tensor(bytes, stored, &shape, dtype))?
            }
            _ => self.pack(stock)?.reshaped(&shape).widened()?.to_dtype(dtype)?,
        };
        match stock.order {
            Order::Stored => Ok(tensor),
            Order::Transposed => Ok(tensor.t()?.contiguous()?),
        }
    }

    /// Reads a tensor into memory in the bytes of its file.
    pub fn pack(&self, stock: &Stock) -> Result<Packed> {
        let scale = match &stock.scale {
            Some(scale) => self.read(scale, DType::F32)?.flatten_all()?.to_vec1::<f32>()?[0],
            None => 1.0,
        };
        self.with_bytes(stock, |bytes| match stock.format {
            Format::Plain(stored) => Ok(Packed::of_bytes(bytes, stored, &stock.shape, scale)),
            Format::Blocks(kind) => Packed::of_blocks(bytes, kind, &stock.shape),
        })
    }

    /// Shows the bytes of a tensor to `take`, which copies them, and makes sure that they were still there.
    pub fn with_bytes<R>(&self, stock: &Stock, take: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
        let source = &self.sources[stock.source];
        self.reads.fetch_add(1, Ordering::Relaxed);
        let taken = take(&source.read(stock.offset, stock.length)?)?;
        // A map that is cut short while it is copied reads as zeros up to the end of its last page.
        source.check_length()?;
        Ok(taken)
    }
}

/// Tells whether a tensor goes with another one and has been joined to it.
fn is_companion(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    SCALES.contains(&last) || IDLE.contains(&last) || last == MARK
}

/// Reads the header of a file, whichever of the formats it has.
fn stocks(source: &Source) -> Result<Vec<(String, Stock)>> {
    let stock = |format, shape, offset, length| Stock {
        format,
        shape,
        source: 0,
        offset,
        length,
        order: Order::Stored,
        scale: None,
    };
    if source.starts_with(gguf::MAGIC)? {
        let all = gguf::read(source)?.into_iter();
        return Ok(all
            .map(|(name, found)| (name, stock(found.format, found.shape, found.offset, found.length)))
            .collect());
    }
    let header = source.header()?;
    let data_at = 8 + header.len() as u64;
    let entries = header::parse(&header, source.length - data_at).map_err(|what| Error::format(&source.path, what))?;
    let place = |(name, entry): (String, header::Entry)| {
        let length = entry.end - entry.begin;
        (name, stock(Format::Plain(entry.stored), entry.shape, data_at + entry.begin as u64, length))
    };
    Ok(entries.into_iter().map(place).collect())
}

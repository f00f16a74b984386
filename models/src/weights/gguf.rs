//! The header of a GGUF file, read as if by an enemy's hand.
//!
//! Magic, version, two counts, metadata, tensors, then the data at the next multiple of the alignment. Every count and
//! length is held against what is left of the file before anything is allocated for it. Format:
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3.

use std::collections::BTreeMap;

use candle_core::quantized::GgmlDType;

use super::{
    format::Format,
    header::{MAX_NAME_BYTES, MAX_RANK, MAX_TENSORS, Stored},
    source::Source,
};
use crate::{Error, Result};

/// What every file starts with.
pub const MAGIC: &[u8; 4] = b"GGUF";
/// The alignment where the metadata name none.
const ALIGNMENT: u64 = 32;
/// The largest alignment that is read; known files have 32.
const MAX_ALIGNMENT: u64 = 1 << 16;
/// The most entries of metadata; language models have some forty.
const MAX_ENTRIES: u64 = 100_000;
/// How deep lists may lie within lists.
const MAX_DEPTH: usize = 4;
/// Bytes that are read from the file at a time.
const PIECE: u64 = 1 << 20;
/// Under which ComfyUI's files note the shape of a tensor whose rows were too short for blocks.
const SHAPES: &str = "comfy.gguf.orig_shape.";

/// A tensor of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub format: Format,
    pub shape: Vec<usize>,
    /// From the beginning of the file.
    pub offset: u64,
    pub length: usize,
}

/// Reads the header of a GGUF file.
pub fn read(source: &Source) -> Result<BTreeMap<String, Entry>> {
    let mut cursor = Cursor { source, at: 0, piece: Vec::new(), piece_at: 0 };
    tensors(&mut cursor).map_err(|fault| match fault {
        Fault::Read(fault) => fault,
        Fault::Format(what) => Error::format(&source.path, what),
    })
}

/// What can go wrong: the reading, or what is read.
enum Fault {
    Read(Error),
    Format(String),
}

impl From<String> for Fault {
    fn from(what: String) -> Self {
        Self::Format(what)
    }
}

impl From<Error> for Fault {
    fn from(fault: Error) -> Self {
        Self::Read(fault)
    }
}

/// What the metadata say that matters here.
struct Metadata {
    alignment: u64,
    shapes: BTreeMap<String, Vec<usize>>,
}

/// A tensor as the header has it.
struct Info {
    /// The fastest axis first, as the file has them.
    axes: Vec<u64>,
    kind: u32,
    offset: u64,
}

fn tensors(cursor: &mut Cursor<'_>) -> Result<BTreeMap<String, Entry>, Fault> {
    if cursor.bytes(4)? != MAGIC {
        return Err("this is not a GGUF file".to_owned().into());
    }
    let version = cursor.u32()?;
    if !matches!(version, 2 | 3) {
        return Err(format!("this is GGUF of version {version}, versions 2 and 3 are read").into());
    }
    // The shortest tensor: its name's length, its rank, its kind and its offset. The shortest entry: its key's length,
    // its type and a byte.
    let tensors = cursor.count("tensors", MAX_TENSORS as u64, 24)?;
    let entries = cursor.count("entries of metadata", MAX_ENTRIES, 13)?;
    let metadata = metadata(cursor, entries)?;
    let mut infos = BTreeMap::new();
    for _ in 0..tensors {
        let name = cursor.name("the name of a tensor")?;
        let info = info(cursor, &name)?;
        if infos.contains_key(&name) {
            return Err(format!("tensor `{name}` stands twice").into());
        }
        infos.insert(name, info);
    }
    let data_at = cursor.at.next_multiple_of(metadata.alignment);
    let mut found = BTreeMap::new();
    for (name, info) in infos {
        let entry = place(&name, &info, &metadata, data_at, cursor.source.length)?;
        found.insert(name, entry);
    }
    check_overlaps(&found)?;
    Ok(found)
}

fn metadata(cursor: &mut Cursor<'_>, entries: u64) -> Result<Metadata, Fault> {
    let mut found = Metadata { alignment: ALIGNMENT, shapes: BTreeMap::new() };
    let mut aligned = false;
    for _ in 0..entries {
        let key = cursor.name("a key")?;
        let kind = cursor.u32()?;
        if key == "general.alignment" {
            if kind != UINT32 {
                return Err("`general.alignment` is no whole number of 32 bits".to_owned().into());
            }
            let alignment = u64::from(cursor.u32()?);
            if !alignment.is_power_of_two() || !(8..=MAX_ALIGNMENT).contains(&alignment) {
                let what = format!("the alignment is {alignment}, a power of two from 8 to {MAX_ALIGNMENT} is wanted");
                return Err(what.into());
            }
            if std::mem::replace(&mut aligned, true) {
                return Err("`general.alignment` stands twice".to_owned().into());
            }
            found.alignment = alignment;
        } else if let Some(tensor) = key.strip_prefix(SHAPES) {
            let shape = shape(cursor, kind, &key)?;
            found.shapes.insert(tensor.to_owned(), shape);
        } else {
            skip(cursor, kind, MAX_DEPTH)?;
        }
    }
    Ok(found)
}

const UINT32: u32 = 4;
const INT32: u32 = 5;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Returns the size of a value of a type, where all have the same.
fn size_of(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        UINT32 | INT32 | 6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Reads over a value.
fn skip(cursor: &mut Cursor<'_>, kind: u32, depth: usize) -> Result<(), Fault> {
    match (kind, size_of(kind)) {
        (_, Some(size)) => cursor.pass(size),
        (STRING, _) => {
            let length = cursor.u64()?;
            cursor.pass(length)
        }
        (ARRAY, _) if depth == 0 => Err("lists lie too deep within lists in the metadata".to_owned().into()),
        (ARRAY, _) => {
            let inner = cursor.u32()?;
            match size_of(inner) {
                Some(size) => {
                    let count = cursor.count("values of a list", u64::MAX, size)?;
                    cursor.pass(count * size)
                }
                None => {
                    // A text has at least its length, a list its type and its count.
                    let count = cursor.count("values of a list", u64::MAX, 8)?;
                    (0..count).try_for_each(|_| skip(cursor, inner, depth - 1))
                }
            }
        }
        _ => Err(format!("a value of the metadata is of type {kind}, which is not known").into()),
    }
}

/// Reads a shape that ComfyUI's files note beside a tensor.
fn shape(cursor: &mut Cursor<'_>, kind: u32, key: &str) -> Result<Vec<usize>, Fault> {
    let wrong = || format!("`{key}` is no list of whole numbers");
    let inner = if kind == ARRAY { cursor.u32()? } else { return Err(wrong().into()) };
    if !matches!(inner, UINT32 | INT32) {
        return Err(wrong().into());
    }
    let count = cursor.count("axes", MAX_RANK as u64, 4)?;
    (0..count).map(|_| Ok(i32::try_from(cursor.u32()?).map_err(|_| wrong())? as usize)).collect()
}

fn info(cursor: &mut Cursor<'_>, name: &str) -> Result<Info, Fault> {
    let rank = cursor.u32()?;
    if rank as usize > MAX_RANK {
        return Err(format!("tensor `{name}` has {rank} axes, at most {MAX_RANK} are read").into());
    }
    let axes = (0..rank).map(|_| cursor.u64()).collect::<Result<_, _>>()?;
    Ok(Info { axes, kind: cursor.u32()?, offset: cursor.u64()? })
}

/// Holds a tensor against the file.
fn place(name: &str, info: &Info, metadata: &Metadata, data_at: u64, file_bytes: u64) -> Result<Entry, String> {
    let format = format(info.kind).map_err(|what| format!("tensor `{name}` is {what}"))?;
    let overflows = || format!("the shape {:?} of `{name}` overflows", info.axes);
    let axes: Option<Vec<usize>> = info.axes.iter().map(|axis| usize::try_from(*axis).ok()).collect();
    let mut shape = axes.ok_or_else(overflows)?;
    // Multiplied as if no axis were empty, so that an empty one hides no overflow.
    shape.iter().try_fold(1_usize, |n, axis| n.checked_mul((*axis).max(1))).ok_or_else(overflows)?;
    let numbers: usize = shape.iter().product();
    let row = shape.first().copied().unwrap_or(1);
    shape.reverse();
    if let Some(noted) = metadata.shapes.get(name) {
        let as_many = noted.iter().try_fold(1_usize, |n, axis| n.checked_mul(*axis)) == Some(numbers);
        if !as_many {
            return Err(format!("tensor `{name}` has {numbers} numbers, its noted shape {noted:?} has not"));
        }
        shape.clone_from(noted);
    }
    if let Format::Blocks(kind) = format
        && !row.is_multiple_of(kind.block_size())
    {
        return Err(format!("tensor `{name}` has rows of {row} numbers, which are no whole blocks of {format}"));
    }
    let length = format.bytes(numbers).ok_or_else(overflows)?;
    if !info.offset.is_multiple_of(metadata.alignment) {
        let Metadata { alignment, .. } = metadata;
        return Err(format!("tensor `{name}` begins at byte {}, no multiple of {alignment}", info.offset));
    }
    let past = || format!("tensor `{name}`, {length} bytes at {}, ends past the file's {file_bytes}", info.offset);
    let offset = data_at.checked_add(info.offset).ok_or_else(past)?;
    offset.checked_add(length as u64).filter(|end| *end <= file_bytes).ok_or_else(past)?;
    Ok(Entry { format, shape, offset, length })
}

fn check_overlaps(found: &BTreeMap<String, Entry>) -> Result<(), String> {
    let mut in_order: Vec<_> = found.iter().filter(|(_, entry)| entry.length > 0).collect();
    in_order.sort_by_key(|(_, entry)| entry.offset);
    let ends_late = |pair: &&[(&String, &Entry)]| pair[0].1.offset + pair[0].1.length as u64 > pair[1].1.offset;
    match in_order.windows(2).find(ends_late) {
        Some(pair) => Err(format!("tensors `{}` and `{}` overlap", pair[0].0, pair[1].0)),
        None => Ok(()),
    }
}

/// Returns the format of a type's number in ggml.
fn format(kind: u32) -> Result<Format, String> {
    use GgmlDType::{Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, Q8K};
    Ok(match kind {
        0 => Format::Plain(Stored::F32),
        1 => Format::Plain(Stored::F16),
        2 => Format::Blocks(Q4_0),
        3 => Format::Blocks(Q4_1),
        6 => Format::Blocks(Q5_0),
        7 => Format::Blocks(Q5_1),
        8 => Format::Blocks(Q8_0),
        10 => Format::Blocks(Q2K),
        11 => Format::Blocks(Q3K),
        12 => Format::Blocks(Q4K),
        13 => Format::Blocks(Q5K),
        14 => Format::Blocks(Q6K),
        15 => Format::Blocks(Q8K),
        24 => Format::Plain(Stored::I8),
        25 => Format::Plain(Stored::I16),
        26 => Format::Plain(Stored::I32),
        27 => Format::Plain(Stored::I64),
        28 => Format::Plain(Stored::F64),
        30 => Format::Plain(Stored::BF16),
        16..=23 | 29 => return Err(format!("of an IQ type ({kind}), which is not read")),
        _ => return Err(format!("of type {kind}, which is not read")),
    })
}

/// Reads a file from its beginning, in pieces.
struct Cursor<'a> {
    source: &'a Source,
    at: u64,
    piece: Vec<u8>,
    piece_at: u64,
}

impl Cursor<'_> {
    /// Returns the next bytes, of which there are fewer than a piece has.
    fn bytes(&mut self, length: u64) -> Result<&[u8], Fault> {
        self.check(length)?;
        let inside = self.at >= self.piece_at && self.at + length <= self.piece_at + self.piece.len() as u64;
        if !inside {
            let wanted = PIECE.max(length).min(self.source.length - self.at);
            self.piece = self.source.read(self.at, wanted as usize)?.into_owned();
            self.piece_at = self.at;
        }
        let start = (self.at - self.piece_at) as usize;
        self.at += length;
        Ok(&self.piece[start..start + length as usize])
    }

    fn pass(&mut self, length: u64) -> Result<(), Fault> {
        self.check(length)?;
        self.at += length;
        Ok(())
    }

    fn check(&self, length: u64) -> Result<(), Fault> {
        let rest = self.source.length - self.at;
        match length <= rest {
            true => Ok(()),
            false => Err(format!("the header wants {length} bytes at {}, the file has {rest} left", self.at).into()),
        }
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four were asked for")))
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        let bytes = self.bytes(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight were asked for")))
    }

    /// Reads how many things follow, each of at least `size` bytes.
    fn count(&mut self, what: &str, most: u64, size: u64) -> Result<u64, Fault> {
        let count = self.u64()?;
        let room = (self.source.length - self.at) / size;
        match count <= most.min(room) {
            true => Ok(count),
            false if count > room => {
                Err(format!("the header claims {count} {what}, the file has room for {room}").into())
            }
            false => Err(format!("the header claims {count} {what}, at most {most} are read").into()),
        }
    }

    fn name(&mut self, what: &str) -> Result<String, Fault> {
        let length = self.u64()?;
        self.check(length)?;
        if length > MAX_NAME_BYTES as u64 {
            return Err(format!("{what} has {length} bytes, at most {MAX_NAME_BYTES} are read").into());
        }
        let bytes = self.bytes(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| format!("{what} is not text"))?;
        Ok(text.to_owned())
    }
}

//! The header of a safetensors file, read as if by an enemy's hand.
//!
//! Eight bytes of length, that many bytes of JSON, then the tensors back to back. Everything is bounded before it is
//! allocated, and the tensors must tile the data exactly: no overlap, no hole, no byte left over. A name may stand once
//! (a plain JSON map would keep the last silently). Format: <https://github.com/huggingface/safetensors#format>.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// The longest header that is read; the reference implementation has the same bound.
const MAX_HEADER_BYTES: u64 = 100_000_000;
/// The most tensors in one file; the largest published models have some ten thousand.
pub const MAX_TENSORS: usize = 100_000;
/// The most axes of a tensor.
pub const MAX_RANK: usize = 8;
/// The longest name of a tensor in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

/// The number format of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(non_camel_case_types, clippy::upper_case_acronyms)]
pub enum Stored {
    BOOL,
    U8,
    I8,
    U16,
    I16,
    F16,
    BF16,
    U32,
    I32,
    F32,
    U64,
    I64,
    F64,
    F8_E4M3,
    F8_E5M2,
}

impl Stored {
    /// Returns the size of one element in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::BOOL | Self::U8 | Self::I8 | Self::F8_E4M3 | Self::F8_E5M2 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Tells whether a network can compute with it.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64 | Self::F8_E4M3 | Self::F8_E5M2)
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One tensor of the header; offsets count from the first byte after the header.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub stored: Stored,
    pub shape: Vec<usize>,
    pub begin: usize,
    pub end: usize,
}

/// Returns the length of the header after its eight bytes, for a file of `file_bytes` that starts with `start`.
pub fn header_length(start: &[u8], file_bytes: u64) -> Result<usize, String> {
    let Some(length) = start.first_chunk::<8>() else {
        return Err(format!("a safetensors file starts with 8 bytes of length, this file has {file_bytes}"));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(format!("the header claims {length} bytes, at most {MAX_HEADER_BYTES} are allowed"));
    }
    if length > file_bytes.saturating_sub(8) {
        return Err(format!("the header claims {length} bytes, the file has {file_bytes}"));
    }
    Ok(length as usize)
}

/// Returns the tensors of a header that is followed by `data_bytes` of data.
pub fn parse(header: &[u8], data_bytes: u64) -> Result<BTreeMap<String, Entry>, String> {
    let text = std::str::from_utf8(header).map_err(|fault| format!("the header is not text: {fault}"))?;
    if !text.starts_with('{') {
        return Err("the header is not a JSON object".into());
    }
    let Header(entries) = serde_json::from_str(text).map_err(|fault| format!("the header cannot be read: {fault}"))?;
    check_tiling(&entries, data_bytes)?;
    Ok(entries)
}

/// Checks that the tensors follow each other without gap or overlap and end with the file.
fn check_tiling(entries: &BTreeMap<String, Entry>, data_bytes: u64) -> Result<(), String> {
    let mut in_order: Vec<(&String, &Entry)> = entries.iter().collect();
    in_order.sort_by_key(|(_, entry)| (entry.begin, entry.end));
    let mut at = 0;
    for (name, entry) in in_order {
        if entry.end < entry.begin {
            return Err(format!("tensor `{name}` ends before it begins ({}..{})", entry.begin, entry.end));
        }
        if entry.end as u64 > data_bytes {
            return Err(format!("tensor `{name}` ends at byte {} of {data_bytes}", entry.end));
        }
        let wanted = byte_length(entry).ok_or_else(|| format!("the shape {:?} of `{name}` overflows", entry.shape))?;
        let found = entry.end - entry.begin;
        if wanted != found {
            let Entry { shape, stored, .. } = entry;
            return Err(format!("tensor `{name}`, {shape:?} {stored}, takes {wanted} bytes, {found} are given"));
        }
        match entry.begin.cmp(&at) {
            std::cmp::Ordering::Less => {
                return Err(format!("tensor `{name}` overlaps the one before it"));
            }
            std::cmp::Ordering::Greater => {
                return Err(format!("{} bytes before tensor `{name}` belong to no tensor", entry.begin - at));
            }
            std::cmp::Ordering::Equal => at = entry.end,
        }
    }
    match data_bytes - at as u64 {
        0 => Ok(()),
        rest => Err(format!("{rest} bytes after the last tensor belong to no tensor")),
    }
}

/// Returns the size of the tensor's data, or nothing where it overflows.
fn byte_length(entry: &Entry) -> Option<usize> {
    // Multiplied as if no axis were empty, so that [0, 2^63, 2^63] is no way around the check.
    let elements = entry.shape.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim.max(1)))?;
    let bytes = elements.checked_mul(entry.stored.size())?;
    Some(if entry.shape.contains(&0) { 0 } else { bytes })
}

struct Header(BTreeMap<String, Entry>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor).map(Header)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = BTreeMap<String, Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        let mut described = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                if std::mem::replace(&mut described, true) {
                    return Err(A::Error::custom("`__metadata__` stands twice"));
                }
                continue;
            }
            if name.len() > MAX_NAME_BYTES {
                return Err(A::Error::custom(format!(
                    "a name has {} bytes, at most {MAX_NAME_BYTES} are allowed",
                    name.len()
                )));
            }
            if entries.len() == MAX_TENSORS {
                return Err(A::Error::custom(format!("more than {MAX_TENSORS} tensors")));
            }
            if entries.contains_key(&name) {
                return Err(A::Error::custom(format!("tensor `{name}` stands twice")));
            }
            let Info { dtype, shape: Dims(shape), data_offsets: (begin, end) } = map.next_value()?;
            entries.insert(name, Entry { stored: dtype, shape, begin, end });
        }
        Ok(entries)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: Stored,
    shape: Dims,
    data_offsets: (usize, usize),
}

/// A shape of bounded rank, so that a list of a million ones is refused at the ninth.
struct Dims(Vec<usize>);

impl<'de> Deserialize<'de> for Dims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(DimsVisitor).map(Dims)
    }
}

struct DimsVisitor;

impl<'de> Visitor<'de> for DimsVisitor {
    type Value = Vec<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of sizes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut dims = Vec::new();
        while let Some(dim) = seq.next_element()? {
            if dims.len() == MAX_RANK {
                return Err(A::Error::custom(format!("a shape has more than {MAX_RANK} axes")));
            }
            dims.push(dim);
        }
        Ok(dims)
    }
}

//! The form of an entry on disk: one safetensors file that holds all outputs of one run of a node.
//!
//! Arrays are named `<output>/<array>`, words lie in the metadata as `<output>/<word>`, beside the entry's own:
//! `format_version`, `recipe`, `label`, `seconds`, `outputs` and `digest`. The digest is BLAKE3 of the whole file as it
//! is with 64 zeros in the digest's place, so no bit of the file can turn unseen, be it a length, a word or a number.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::fingerprint::Fingerprint;
use crate::value::{Array, Element, Record};

/// Rises when the form changes; part of every path, so that programs of different versions never meet in one file.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Longest header that is believed.
const HEADER_BYTES: u64 = 64 << 20;
/// Most outputs that are believed.
const OUTPUTS: usize = 1024;
/// Bytes hashed and written or read at a time: they stay in the processor's cache between the two.
const CHUNK: usize = 256 << 10;
/// Below this a file is put together in memory: one call to the system in place of many.
const SMALL: u64 = 64 << 10;
const LENGTH: usize = 8;
const DIGEST_KEY: &str = "\"digest\":\"";
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What an entry says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct About {
    pub recipe: Fingerprint,
    pub label: String,
    pub seconds: f64,
    pub outputs: usize,
}

/// Why an entry was not read.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The file could not be read; it may be well.
    Io(io::Error),
    /// The file is not what it should be.
    Damaged(String),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it is shorter than it says".to_owned()),
            _ => Self::Io(error),
        }
    }
}

fn damaged<T>(why: &str) -> Result<T, Wrong> {
    Err(Wrong::Damaged(why.to_owned()))
}

/// An entry that is about to be written. It owns the arrays and lets each go as soon as it is written.
pub(super) struct Draft {
    header: Vec<u8>,
    digest_at: usize,
    arrays: Vec<Array>,
    bytes: u64,
}

impl Draft {
    /// Lays out an entry; `None` if an array's bytes do not fit its shape.
    pub fn new(about: &About, records: Vec<Record>) -> Option<Self> {
        let mut words = HashMap::from([
            ("format_version".to_owned(), FORMAT_VERSION.to_string()),
            ("recipe".to_owned(), about.recipe.to_string()),
            ("label".to_owned(), about.label.clone()),
            ("seconds".to_owned(), about.seconds.to_string()),
            ("outputs".to_owned(), about.outputs.to_string()),
            ("digest".to_owned(), ZEROS.to_owned()),
        ]);
        let mut named = Vec::new();
        for (index, record) in records.into_iter().enumerate() {
            words.extend(record.words.into_iter().map(|(name, word)| (format!("{index}/{name}"), word)));
            named.extend(record.arrays.into_iter().map(|(name, array)| (format!("{index}/{name}"), array)));
        }
        // The widest elements first: then every array begins at a multiple of its element.
        named.sort_by_key(|(_, array)| std::cmp::Reverse(dtype(array.element).bitsize()));
        let mut end = 0;
        let infos = named.iter().map(|(name, array)| {
            let data_offsets = (end, end + array.bytes.len());
            end = data_offsets.1;
            let info = TensorInfo { dtype: dtype(array.element), shape: array.shape.clone(), data_offsets };
            (name.clone(), info)
        });
        let metadata = Metadata::new(Some(words), infos.collect()).ok()?;
        Self::lay_out(&metadata, named.into_iter().map(|(_, array)| array).collect())
    }

    fn lay_out(metadata: &Metadata, arrays: Vec<Array>) -> Option<Self> {
        let mut json = serde_json::to_vec(metadata).ok()?;
        json.resize(json.len().next_multiple_of(LENGTH), b' ');
        let mut header = (json.len() as u64).to_le_bytes().to_vec();
        header.append(&mut json);
        let digest_at = digest_place(&header)?;
        let bytes = (header.len() + metadata.data_len()) as u64;
        Some(Self { header, digest_at, arrays, bytes })
    }

    /// Returns the size of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes the file from its beginning, in one pass over the arrays.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(self, mut file: &File) -> io::Result<()> {
        if self.bytes < SMALL {
            return file.write_all(&self.into_bytes());
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.header);
        file.write_all(&self.header)?;
        for array in self.arrays {
            for chunk in array.bytes.chunks(CHUNK) {
                hasher.update(chunk);
                file.write_all(chunk)?;
            }
        }
        file.seek(SeekFrom::Start(self.digest_at as u64))?;
        file.write_all(hasher.finalize().to_hex().as_bytes())
    }

    fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.header;
        for array in self.arrays {
            bytes.extend(array.bytes);
        }
        let digest = blake3::hash(&bytes).to_hex();
        bytes[self.digest_at..self.digest_at + ZEROS.len()].copy_from_slice(digest.as_bytes());
        bytes
    }
}

/// Reads what an entry says of itself, believing it.
///
/// # Errors
/// What the system says, or what is wrong with the file.
pub(super) fn read_about(file: &File) -> Result<About, Wrong> {
    Ok(Head::read(file)?.about)
}

/// Reads an entry and believes nothing: not its lengths before they fit the file, not its content before the digest.
///
/// # Errors
/// What the system says, or what is wrong with the file.
pub(super) fn read(mut file: &File, recipe: Fingerprint) -> Result<(About, Vec<Record>), Wrong> {
    let head = Head::read(file)?;
    if head.about.recipe != recipe {
        return damaged("it holds another result than its name says");
    }
    let mut records = vec![Record::default(); head.about.outputs];
    let mut hasher = head.hasher;
    for name in head.metadata.offset_keys() {
        let info = head.metadata.info(&name).expect("the name was just listed");
        let Some(element) = element(info.dtype) else { return damaged("it holds numbers of an unknown type") };
        let bytes = read_hashed(&mut file, info.data_offsets.1 - info.data_offsets.0, &mut hasher)?;
        let (record, name) = place(&mut records, &name)?;
        record.arrays.insert(name, Array { element, shape: info.shape.clone(), bytes });
    }
    if hasher.finalize().to_hex().as_bytes() != head.digest {
        return damaged("its content does not match its digest");
    }
    for (key, word) in head.metadata.metadata().iter().flatten().filter(|(key, _)| key.contains('/')) {
        let (record, name) = place(&mut records, key)?;
        record.words.insert(name, word.clone());
    }
    Ok((head.about, records))
}

/// The header of a file, and the hash so far.
struct Head {
    metadata: Metadata,
    about: About,
    digest: Vec<u8>,
    hasher: blake3::Hasher,
}

impl Head {
    fn read(mut file: &File) -> Result<Self, Wrong> {
        let whole = file.metadata()?.len();
        let mut length = [0; LENGTH];
        file.read_exact(&mut length)?;
        let json_bytes = u64::from_le_bytes(length);
        if json_bytes > HEADER_BYTES || json_bytes > whole.saturating_sub(LENGTH as u64) {
            return damaged("its header is longer than it can be");
        }
        let mut header = vec![0; LENGTH + json_bytes as usize];
        header[..LENGTH].copy_from_slice(&length);
        file.read_exact(&mut header[LENGTH..])?;
        let Ok(metadata) = serde_json::from_slice::<Metadata>(&header[LENGTH..]) else {
            return damaged("its header does not read");
        };
        if header.len() as u64 + metadata.data_len() as u64 != whole {
            return damaged("it is not as long as its header says");
        }
        let Some(about) = About::read(&metadata) else { return damaged("its header lacks something") };
        let Some(at) = digest_place(&header) else { return damaged("its header lacks a digest") };
        let digest = header[at..at + ZEROS.len()].to_vec();
        header[at..at + ZEROS.len()].copy_from_slice(ZEROS.as_bytes());
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header);
        Ok(Self { metadata, about, digest, hasher })
    }
}

impl About {
    fn read(metadata: &Metadata) -> Option<Self> {
        let words = metadata.metadata().as_ref()?;
        let version: u32 = words.get("format_version")?.parse().ok()?;
        let outputs = words.get("outputs")?.parse().ok()?;
        (version == FORMAT_VERSION && outputs <= OUTPUTS).then_some(())?;
        Some(Self {
            recipe: Fingerprint::from_hex(words.get("recipe")?)?,
            label: words.get("label")?.clone(),
            seconds: words.get("seconds")?.parse().ok()?,
            outputs,
        })
    }
}

/// Where the digest lies. The key's quotes are written with a backslash inside any text and every name of an output's
/// own begins with its number, so nothing else in the header looks like it.
fn digest_place(header: &[u8]) -> Option<usize> {
    let at = header.windows(DIGEST_KEY.len()).position(|window| window == DIGEST_KEY.as_bytes())? + DIGEST_KEY.len();
    (at + ZEROS.len() <= header.len()).then_some(at)
}

fn read_hashed(file: &mut &File, bytes: usize, hasher: &mut blake3::Hasher) -> Result<Vec<u8>, Wrong> {
    let mut read = vec![0; bytes];
    for chunk in read.chunks_mut(CHUNK) {
        file.read_exact(chunk)?;
        hasher.update(chunk);
    }
    Ok(read)
}

/// Finds the record that `<output>/<name>` speaks of.
fn place<'a>(records: &'a mut [Record], key: &str) -> Result<(&'a mut Record, String), Wrong> {
    let found = key.split_once('/').and_then(|(index, name)| Some((index.parse::<usize>().ok()?, name.to_owned())));
    match found {
        Some((index, name)) if index < records.len() => Ok((&mut records[index], name)),
        _ => damaged("it holds something that belongs to no output"),
    }
}

fn dtype(element: Element) -> Dtype {
    match element {
        Element::F32 => Dtype::F32,
        Element::U8 => Dtype::U8,
        Element::U64 => Dtype::U64,
    }
}

fn element(dtype: Dtype) -> Option<Element> {
    [Element::F32, Element::U8, Element::U64].into_iter().find(|element| self::dtype(*element) == dtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn about(outputs: usize) -> About {
        About { recipe: Fingerprint::of_bytes(b"r"), label: "toy \"digest\":\"".into(), seconds: 0.1, outputs }
    }

    fn write(about: &About, records: Vec<Record>) -> File {
        let draft = Draft::new(about, records).expect("shapes fit");
        let (bytes, file) = (draft.bytes(), tempfile::tempfile().expect("a file"));
        draft.write(&file).expect("room");
        assert_eq!(file.metadata().expect("there").len(), bytes);
        file
    }

    fn read_back(mut file: &File) -> Result<(About, Vec<Record>), Wrong> {
        file.seek(SeekFrom::Start(0))?;
        read(file, Fingerprint::of_bytes(b"r"))
    }

    fn record(bytes: usize) -> Record {
        Record {
            arrays: BTreeMap::from([
                ("a/b".to_owned(), Array::u8(vec![bytes], (0..bytes).map(|index| index as u8).collect())),
                ("z".to_owned(), Array::f32(vec![2, 1], &[0.5, f32::NAN])),
            ]),
            words: BTreeMap::from([("digest".to_owned(), "\"digest\":\"\u{0}é".to_owned())]),
        }
    }

    #[test]
    fn an_entry_survives_the_disk() {
        for bytes in [0, 3, SMALL as usize, 3 * CHUNK + 5] {
            let records = vec![record(bytes), Record::default(), record(1)];
            let (told, back) = read_back(&write(&about(3), records.clone())).expect("just written");
            assert_eq!(told, about(3));
            assert_eq!(format!("{back:?}"), format!("{records:?}"), "as text, since NaN is not itself");
        }
    }

    #[test]
    fn an_array_that_does_not_fit_its_shape_is_not_written() {
        let mut record = record(4);
        record.arrays.insert("z".to_owned(), Array { element: Element::U64, shape: vec![3], bytes: vec![0; 23] });
        assert!(Draft::new(&about(1), vec![record]).is_none());
    }

    proptest! {
        #[test]
        fn no_bit_turns_unseen(at in any::<prop::sample::Index>(), bit in 0_u8..8, size in 0_usize..70) {
            let file = write(&about(1), vec![record(size)]);
            let at = at.index(file.metadata().expect("there").len() as usize) as u64;
            let mut byte = [0];
            let mut handle = &file;
            handle.seek(SeekFrom::Start(at)).and_then(|_| handle.read_exact(&mut byte)).expect("there");
            byte[0] ^= 1 << bit;
            handle.seek(SeekFrom::Start(at)).and_then(|_| handle.write_all(&byte)).expect("there");
            prop_assert!(matches!(read_back(&file), Err(Wrong::Damaged(_))));
        }

        #[test]
        fn a_part_of_a_file_is_no_file(keep in any::<prop::sample::Index>()) {
            let file = write(&about(1), vec![record(50)]);
            let keep = keep.index(file.metadata().expect("there").len() as usize) as u64;
            file.set_len(keep).expect("shorter");
            prop_assert!(matches!(read_back(&file), Err(Wrong::Damaged(_))));
        }
    }
}

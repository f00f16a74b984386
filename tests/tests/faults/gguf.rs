//! GGUF files that are broken, or made to break what reads them: row 11.

use std::{
    fs,
    time::{Duration, Instant},
};

use darkroom_models::{Error, Weights, weights::Options};
use proptest::prelude::*;

const F32: u32 = 0;
const Q8_0: u32 = 8;
const UINT32: u32 = 4;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// A file put together by hand, so that every part of it can be wrong.
#[derive(Clone)]
struct File {
    magic: [u8; 4],
    version: u32,
    tensors: u64,
    entries: u64,
    metadata: Vec<u8>,
    infos: Vec<u8>,
    alignment: usize,
    data: Vec<u8>,
}

impl File {
    fn new() -> Self {
        let (metadata, infos, data) = (Vec::new(), Vec::new(), Vec::new());
        Self { magic: *b"GGUF", version: 3, tensors: 0, entries: 0, metadata, infos, alignment: 32, data }
    }

    /// Adds an entry of metadata: key, type, bytes.
    fn entry(mut self, key: &str, kind: u32, bytes: &[u8]) -> Self {
        self.entries += 1;
        self.metadata.extend(text(key));
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend(bytes);
        self
    }

    /// Adds a tensor: name, axes from the fastest on, type, place.
    fn tensor(mut self, name: &str, axes: &[u64], kind: u32, offset: u64) -> Self {
        self.tensors += 1;
        self.infos.extend(text(name));
        self.infos.extend((axes.len() as u32).to_le_bytes());
        self.infos.extend(axes.iter().flat_map(|axis| axis.to_le_bytes()));
        self.infos.extend(kind.to_le_bytes());
        self.infos.extend(offset.to_le_bytes());
        self
    }

    fn data(mut self, bytes: usize) -> Self {
        self.data = vec![0; bytes];
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.tensors.to_le_bytes());
        bytes.extend(self.entries.to_le_bytes());
        bytes.extend(&self.metadata);
        bytes.extend(&self.infos);
        bytes.resize(bytes.len().next_multiple_of(self.alignment), 0);
        bytes.extend(&self.data);
        bytes
    }

    /// Opens it as a file, as a map and as memory, all of which must refuse it alike, and returns the reason.
    fn refused(&self) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        fs::write(&path, self.bytes()).unwrap();
        let told = [
            Weights::open_with(&path, Options { mmap: true }).unwrap_err(),
            Weights::open_with(&path, Options { mmap: false }).unwrap_err(),
            Weights::from_bytes("model.gguf", self.bytes()).unwrap_err(),
        ];
        let Error::Format { path: named, what, .. } = &told[0] else { panic!("{told:?}") };
        assert_eq!(*named, path, "the file is named");
        assert!(told.iter().all(|other| other.to_string().starts_with(what)), "{told:?}");
        what.clone()
    }
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn list(kind: u32, count: u64, bytes: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), bytes].concat()
}

#[track_caller]
fn says(told: impl AsRef<str>, wanted: &str) {
    let told = told.as_ref();
    assert!(told.contains(wanted), "{told:?} does not say {wanted:?}");
}

/// A file with nothing wrong: metadata of many types, a dense tensor and one of blocks.
fn good() -> File {
    File::new()
        .entry("general.architecture", STRING, &text("sdxl"))
        .entry("general.alignment", UINT32, &32_u32.to_le_bytes())
        .entry("some.words", ARRAY, &list(STRING, 2, &[text("a"), text("b")].concat()))
        .entry("some.lists", ARRAY, &list(ARRAY, 1, &list(UINT32, 2, &[0; 8])))
        .entry("some.number", 12, &1.5_f64.to_le_bytes())
        .entry("comfy.gguf.orig_shape.conv", ARRAY, &list(5, 3, &[2_i32, 4, 4].map(i32::to_le_bytes).concat()))
        .tensor("dense", &[3, 2], F32, 0)
        .tensor("conv", &[32], Q8_0, 32)
        .data(32 + 34)
}

#[test]
fn row_11_a_sound_file_of_version_2_or_3_is_read() {
    for version in [2, 3] {
        let weights = Weights::from_bytes("good", File { version, ..good() }.bytes()).unwrap();
        assert_eq!(weights.get("dense", (2, 3)).unwrap().dims(), [2, 3], "the fastest axis comes first in the file");
        assert_eq!(weights.get("conv", (2, 4, 4)).unwrap().dims(), [2, 4, 4], "as its noted shape says");
        assert!(weights.finish().unwrap().is_complete());
    }
}

#[test]
fn row_11_a_wrong_magic_or_version_is_refused() {
    for version in [0, 1, 4, u32::MAX, 3_u32.swap_bytes()] {
        says(File { version, ..good() }.refused(), &format!("this is GGUF of version {version}"));
    }
    // Another magic is no GGUF, and then no safetensors either.
    says(File { magic: *b"GGML", ..good() }.refused(), "the header claims");
    for n in 4..24 {
        let told = Weights::from_bytes("short", good().bytes()[..n].to_vec()).unwrap_err();
        says(told.to_string(), "the header ");
    }
}

#[test]
fn row_11_absurd_counts_are_refused_before_anything_is_allocated() {
    let start = Instant::now();
    for count in [1 << 63, u64::MAX, 1 << 40, 1000] {
        says(File { tensors: count, ..good() }.refused(), &format!("claims {count} tensors"));
        says(File { entries: count, ..good() }.refused(), &format!("claims {count} entries of metadata"));
        let values = File::new().entry("k", ARRAY, &list(UINT32, count, &[]));
        says(values.refused(), &format!("claims {count} values of a list"));
        let words = File::new().entry("k", ARRAY, &list(STRING, count, &[]));
        says(words.refused(), &format!("claims {count} values of a list"));
    }
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
}

#[test]
fn row_11_texts_longer_than_the_file_are_refused() {
    for length in [u64::MAX, 1 << 63, 1 << 32, 5000] {
        let long = length.to_le_bytes();
        says(File::new().entry("k", STRING, &long).refused(), &format!("wants {length} bytes"));
        let named = File { tensors: 1, infos: [&long[..], &[0; 32]].concat(), ..File::new() };
        says(named.refused(), &format!("wants {length} bytes"));
    }
    let name = "n".repeat(2000);
    says(File::new().tensor(&name, &[1], F32, 0).data(4).refused(), "at most 1024 are read");
    says(File::new().entry(&name, UINT32, &[0; 4]).refused(), "at most 1024 are read");
    let mut bad = File::new().tensor("ab", &[1], F32, 0).data(4);
    bad.infos[8] = 0xFF;
    says(bad.refused(), "is not text");
}

#[test]
fn row_11_absurd_alignments_are_refused() {
    for alignment in [0_u32, 3, 1, 4, 48, 1 << 30, u32::MAX] {
        let file = File::new().entry("general.alignment", UINT32, &alignment.to_le_bytes());
        says(file.refused(), &format!("the alignment is {alignment}"));
    }
    says(File::new().entry("general.alignment", STRING, &text("32")).refused(), "no whole number of 32 bits");
    let twice = File::new().entry("general.alignment", UINT32, &32_u32.to_le_bytes());
    says(twice.entry("general.alignment", UINT32, &64_u32.to_le_bytes()).refused(), "stands twice");
    let wide = File::new().entry("general.alignment", UINT32, &64_u32.to_le_bytes());
    let wide = File { alignment: 64, ..wide.tensor("a", &[1], F32, 0).tensor("b", &[1], F32, 64).data(68) };
    assert!(Weights::from_bytes("wide", wide.bytes()).is_ok());
    says(wide.tensor("c", &[1], F32, 32).refused(), "no multiple of 64");
}

#[test]
fn row_11_types_that_are_not_known_are_refused() {
    for kind in [4, 5, 9, 31, 39, u32::MAX] {
        says(File::new().tensor("a", &[32], kind, 0).data(64).refused(), &format!("tensor `a` is of type {kind}"));
    }
    for kind in [16, 18, 23, 29] {
        says(File::new().tensor("a", &[256], kind, 0).data(256).refused(), "of an IQ type");
    }
    says(File::new().entry("k", 13, &[0; 8]).refused(), "of type 13, which is not known");
    says(File::new().entry("k", ARRAY, &list(77, 1, &[0; 8])).refused(), "of type 77, which is not known");
    let shape = |kind: u32, bytes: &[u8]| {
        File::new().entry("comfy.gguf.orig_shape.a", kind, bytes).tensor("a", &[4], F32, 0).data(16)
    };
    says(shape(UINT32, &[0; 4]).refused(), "is no list of whole numbers");
    says(shape(ARRAY, &list(STRING, 1, &text("4"))).refused(), "is no list of whole numbers");
    says(shape(ARRAY, &list(5, 1, &(-4_i32).to_le_bytes())).refused(), "is no list of whole numbers");
    says(shape(ARRAY, &list(5, 2, &[3_i32, 2].map(i32::to_le_bytes).concat())).refused(), "has 4 numbers");
    says(shape(ARRAY, &list(5, 9, &[0; 36])).refused(), "claims 9 axes");
    let mut deep = list(UINT32, 0, &[]);
    for _ in 0..1000 {
        deep = list(ARRAY, 1, &deep);
    }
    says(File::new().entry("k", ARRAY, &deep).refused(), "too deep");
}

#[test]
fn row_11_tensors_that_do_not_lie_in_the_file_are_refused() {
    let one = |axes: &[u64], kind: u32, offset: u64| File::new().tensor("a", axes, kind, offset).data(64).refused();
    says(one(&[17], F32, 0), "ends past the file's");
    says(one(&[16], F32, 32), "ends past the file's");
    says(one(&[1], F32, u64::MAX - 31), "ends past the file's");
    says(one(&[1], F32, 4), "begins at byte 4, no multiple of 32");
    says(one(&[1 << 62, 4], F32, 0), "overflows");
    says(one(&[u64::MAX], F32, 0), "overflows");
    says(one(&[0, u64::MAX, 2], F32, 0), "overflows");
    says(one(&[33], Q8_0, 0), "no whole blocks of Q8_0");
    says(one(&[16, 2], Q8_0, 0), "rows of 16 numbers");
    says(one(&[1; 9], F32, 0), "has 9 axes");
    says(File::new().tensor("a", &[1], F32, 0).tensor("a", &[1], F32, 32).data(64).refused(), "stands twice");
    says(File::new().tensor("a", &[16], F32, 0).tensor("b", &[1], F32, 32).data(64).refused(), "overlap");
    let empty = File::new().tensor("a", &[0, 4], F32, 0).tensor("b", &[1], F32, 0).data(4);
    assert_eq!(Weights::from_bytes("empty", empty.bytes()).unwrap().get("a", (4, 0)).unwrap().elem_count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn row_11_a_damaged_file_is_read_or_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = good().bytes();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(weights) = Weights::from_bytes("damaged", bytes) {
            let all: Vec<_> = weights.tensors().map(|(name, shape)| (name.to_owned(), shape.to_vec())).collect();
            for (name, shape) in all {
                weights.get(&name, shape).unwrap();
            }
            let _ = weights.finish();
        }
    }
}

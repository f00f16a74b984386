//! What must hold of weights that mean well; the hostile ones are in `tests/tests/faults/models.rs`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use super::*;

/// Writes a safetensors file: name, format, shape, bytes.
fn file(tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let begin = data.len();
        data.extend(bytes);
        let entry = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [begin, data.len()]});
        header.insert((*name).into(), entry);
    }
    let header = serde_json::Value::from(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn write(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn mapped_read_and_embedded_weights_are_the_same() {
    let n = (1 << 17) + 7;
    let numbers: Vec<f32> = (0..n).map(|i| i as f32 / 64.0 - 900.0).collect();
    let halves: Vec<u8> = numbers.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
    let brains: Vec<u8> = numbers.iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect();
    let bytes = file(&[
        ("a", "F32", &[n], f32s(&numbers)),
        ("odd", "U8", &[1], vec![0]),
        ("b", "F16", &[n], halves),
        ("c", "BF16", &[n], brains),
    ]);
    let (_dir, path) = write("x.safetensors", &bytes);
    let all = [
        Weights::open(&path).unwrap(),
        Weights::open_with(&path, Options { mmap: false }).unwrap(),
        Weights::from_bytes("x", bytes).unwrap(),
    ];
    for w in all {
        assert_eq!(values(&w.get("a", n).unwrap()), numbers);
        let halves = values(&w.get("b", n).unwrap());
        assert!(halves.iter().zip(&numbers).all(|(x, y)| *x == half::f16::from_f32(*y).to_f32()));
        let brains = values(&w.get("c", n).unwrap());
        assert!(brains.iter().zip(&numbers).all(|(x, y)| *x == half::bf16::from_f32(*y).to_f32()));
        let kept = w.clone().with_precision(DType::BF16).get("c", n).unwrap();
        assert_eq!(kept.dtype(), DType::BF16);
        assert_eq!(values(&kept.to_dtype(DType::F32).unwrap()), brains);
        let narrowed = w.clone().with_precision(DType::F16).get("a", n).unwrap();
        assert_eq!(values(&narrowed.to_dtype(DType::F32).unwrap()), halves);
        assert_eq!(w.bytes(), 8 * n as u64 + 1);
    }
}

#[test]
fn one_report_names_everything_that_does_not_fit() {
    let bytes = file(&[
        ("net.a", "F32", &[2], f32s(&[1.0, 2.0])),
        ("net.b", "F32", &[2], f32s(&[1.0, 2.0])),
        ("net.c", "I64", &[1], vec![0; 8]),
        ("net.d", "BOOL", &[1], vec![0]),
        ("net.e", "F32", &[1], f32s(&[1.0])),
        ("net.position_ids", "I64", &[1], vec![0; 8]),
        ("other", "F32", &[1], f32s(&[1.0])),
    ]);
    let net = Weights::from_bytes("toy", bytes).unwrap().at("net");
    assert_eq!(values(&net.get("a", 2).unwrap()), [1.0, 2.0]);
    assert_eq!(net.get("b", (3, 4)).unwrap().dims(), [3, 4]);
    assert_eq!(net.get("c", 1).unwrap().dims(), [1]);
    net.get("d", 1).unwrap();
    net.get("gone", (7, 7)).unwrap();
    let Err(Error::Weights(report)) = net.finish() else { panic!("must fail") };
    let told = Error::Weights(report).to_string();
    assert_eq!(
        told,
        "tensors do not fit, 1 missing, 1 misshapen, 2 of the wrong type, 1 unexpected: toy\n  \
         missing `net.gone` [7, 7]\n  \
         `net.b` wanted [3, 4], found [2]\n  \
         `net.c` wanted a float format, found I64\n  \
         `net.d` wanted a float format, found BOOL\n  \
         unexpected `net.e`"
    );
}

#[test]
fn a_scope_is_read_again_after_the_end() {
    let bytes = file(&[("a.x", "F32", &[1], f32s(&[5.0])), ("ab.x", "F32", &[1], f32s(&[6.0]))]);
    let w = Weights::from_bytes("toy", bytes).unwrap();
    w.at("a").get("x", 1).unwrap();
    let report = w.at("a").finish().unwrap();
    assert_eq!(report.consumed, BTreeMap::from([("a.x".to_owned(), 1)]));
    assert!(report.unexpected.is_empty(), "`ab.x` is another scope");
    assert_eq!(w.finish().unwrap().unexpected, ["ab.x"]);
    assert_eq!(values(&w.at("a").get("x", 1).unwrap()), [5.0]);
    assert_eq!(w.at("a").bytes(), 4);
    assert!(w.at("ab").contains("x") && !w.contains("x"));
    assert_eq!(w.shape("ab.x"), Some(vec![1]));
}

#[test]
fn dry_weights_take_no_memory() {
    let w = Weights::dry("huge", [("x".to_owned(), vec![1 << 20, 1 << 20])]);
    let x = w.get("x", (1 << 20, 1 << 20)).unwrap();
    assert_eq!((x.dims(), x.stride()), (&[1 << 20, 1 << 20][..], &[0, 0][..]));
    assert!(w.is_dry() && w.finish().unwrap().is_complete());
}

#[test]
fn empty_tensors_are_legal() {
    let bytes = file(&[("none", "F32", &[0, 4], vec![]), ("one", "F32", &[], f32s(&[3.0]))]);
    let w = Weights::from_bytes("toy", bytes).unwrap();
    assert_eq!(w.get("none", (0, 4)).unwrap().dims(), [0, 4]);
    assert_eq!(w.get("one", ()).unwrap().to_scalar::<f32>().unwrap(), 3.0);
    let nothing = Weights::from_bytes("toy", file(&[])).unwrap();
    assert!(nothing.finish().unwrap().is_complete());
}

#[test]
fn shards_are_one_set_and_the_whole_file_is_preferred() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    put("model-00001-of-00002.safetensors", &file(&[("a", "F32", &[1], f32s(&[1.0]))]));
    put("model-00002-of-00002.safetensors", &file(&[("b", "F32", &[1], f32s(&[2.0]))]));
    let index = r#"{"metadata": {"total_size": 8}, "weight_map": {"a": "model-00001-of-00002.safetensors",
        "b": "model-00002-of-00002.safetensors"}}"#;
    put("model.safetensors.index.json", index.as_bytes());
    let w = Weights::open(dir.path()).unwrap();
    assert_eq!(values(&w.get("b", 1).unwrap()), [2.0]);

    put("model.fp16.safetensors", &file(&[("a", "F32", &[1], f32s(&[7.0]))]));
    assert!(Weights::open(dir.path()).unwrap().contains("b"), "the full set comes before the variant");
    put("model.safetensors", &file(&[("a", "F32", &[1], f32s(&[9.0]))]));
    let w = Weights::open(dir.path()).unwrap();
    assert_eq!(values(&w.get("a", 1).unwrap()), [9.0]);
}

#[test]
fn the_variant_is_taken_where_it_stands_alone() {
    let half = file(&[("a", "F32", &[1], f32s(&[7.0]))]);
    let (dir, _) = write("diffusion_pytorch_model.fp16.safetensors", &half);
    assert!(Weights::open(dir.path()).unwrap().contains("a"));
}

#[test]
fn eight_bit_weights_take_the_scale_beside_them() {
    let x = [0x38, 0x40, 0xB8, 0x7E];
    let bytes = file(&[
        ("a.weight", "F8_E4M3", &[2, 2], x.to_vec()),
        ("a.scale_weight", "F32", &[], f32s(&[0.5])),
        ("a.scale_input", "F32", &[1], f32s(&[7.0])),
        ("b.weight", "F8_E5M2", &[4], vec![0x3C, 0x40, 0xBC, 0x00]),
        ("scaled_fp8", "F8_E4M3", &[0], vec![]),
    ]);
    let w = Weights::from_bytes("toy", bytes).unwrap();
    assert_eq!(values(&w.at("a").get("weight", (2, 2)).unwrap()), [0.5, 1.0, -0.5, 224.0]);
    assert_eq!(values(&w.get("b.weight", 4).unwrap()), [1.0, 2.0, -1.0, 0.0]);
    let packed = w.packed("a.weight", (2, 2)).unwrap().expect("four bytes are smaller than eight");
    assert_eq!((values(&packed.widened().unwrap()), packed.bytes()), (vec![0.5, 1.0, -0.5, 224.0], 4));
    assert!(w.packed("a.weight", 4).unwrap().is_none(), "the shape is another");
    assert_eq!(w.finish().unwrap().unexpected, [""; 0], "scales and marks are no tensors of a network");
    assert_eq!(w.at("a").loaded_bytes(), 4);
}

#[test]
fn a_view_hands_every_number_out_once() {
    let numbers: Vec<f32> = (0..6).map(|i| i as f32).collect();
    let bytes = file(&[
        ("m.fused", "F32", &[3, 2], f32s(&numbers)),
        ("m.point", "F32", &[2, 1, 1, 1], f32s(&numbers[..2])),
        ("m.turned", "F32", &[2, 3], f32s(&numbers)),
    ]);
    let w = Weights::from_bytes("toy", bytes).unwrap().at("m");
    let view = |list: &[(&str, &str, Op)]| {
        let origin = |(new, name, op): &(&str, &str, Op)| {
            ((*new).to_owned(), Origin { name: (*name).to_owned(), op: op.clone() })
        };
        w.view(&list.iter().map(origin).collect())
    };
    let (first, rest) = (Op::Rows(0..1), Op::Rows(1..3));
    let good = view(&[
        ("q", "fused", first.clone()),
        ("k", "fused", rest.clone()),
        ("p", "point", Op::Squeeze),
        ("t", "turned", Op::Transpose),
    ]);
    let good = good.unwrap();
    assert_eq!(values(&good.get("q", (1, 2)).unwrap()), [0.0, 1.0]);
    assert_eq!(values(&good.get("k", (2, 2)).unwrap()), [2.0, 3.0, 4.0, 5.0]);
    assert_eq!(values(&good.get("p", (2, 1)).unwrap()), [0.0, 1.0]);
    assert_eq!(values(&good.get("t", (3, 2)).unwrap()), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert!(good.finish().unwrap().unexpected.is_empty());
    let told = |list: &[(&str, &str, Op)]| view(list).unwrap_err().to_string();
    assert_eq!(told(&[("a", "gone", Op::Copy)]), "there is no tensor `gone` to be `a`: toy");
    for list in [
        &[("q", "fused", first.clone())][..],
        &[("k", "fused", rest.clone())],
        &[("q", "fused", first.clone()), ("k", "fused", first)],
        &[("a", "point", Op::Copy), ("b", "point", Op::Squeeze)],
    ] {
        assert!(told(list).contains("are not each used once"), "{}", told(list));
    }
    assert!(told(&[("q", "fused", Op::Rows(0..4))]).contains("has 3 rows, 0 to 4 are wanted"));
    assert!(told(&[("q", "fused", Op::Squeeze)]).contains("does not go with `squeeze 1x1`"));
}

#[test]
fn maps_are_turned_off_by_a_word() {
    assert!(Options::worded(None).mmap && Options::worded(Some("1".as_ref())).mmap);
    assert!(!Options::worded(Some("0".as_ref())).mmap);
}

#[test]
fn a_file_cut_short_while_it_is_copied_is_an_error() {
    let (_dir, path) = write("x.safetensors", &file(&[("a", "F32", &[2], f32s(&[1.0, 2.0]))]));
    for mmap in [true, false] {
        let mut set = Set::new(&path);
        set.add(Source::open(&path, mmap).unwrap()).unwrap();
        let stock = set.tensors["a"].clone();
        let before = fs::read(&path).unwrap();
        let told = set.with_bytes(&stock, |bytes| {
            let copy = bytes.to_vec();
            fs::write(&path, &before[..before.len() - 1]).unwrap();
            Ok(copy)
        });
        let told = told.unwrap_err().to_string();
        assert!(told.contains("bytes when it was opened"), "{told}");
        fs::write(&path, before).unwrap();
    }
}

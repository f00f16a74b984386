//! Model files that are broken, or made to break what reads them: rows 1 to 10, 12, 13 and 15. GGUF, row 11, is in `gguf.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Duration, Instant},
};

use darkroom_models::{
    Error, Weights,
    folder::ModelFolder,
    sdxl::config::{TextEncoderConfig, UNetConfig, VaeConfig},
    tokenizer::{Clip, Files},
    weights::Options,
};
use darkroom_tests::{archive, reference};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A safetensors file of this header and these bytes.
fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn entry(shape: &str, begin: u64, end: u64) -> String {
    format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
}

/// Opens bytes as a file and as memory, both of which must be refused alike, and returns the reason.
fn refused(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    fs::write(&path, bytes).unwrap();
    let told = [
        Weights::open(&path).unwrap_err(),
        Weights::open_with(&path, Options { mmap: false }).unwrap_err(),
        Weights::from_bytes("model.safetensors", bytes.to_vec()).unwrap_err(),
    ];
    let Error::Format { path: named, what, .. } = &told[0] else { panic!("{told:?}") };
    assert_eq!(*named, path, "the file is named");
    for other in &told {
        assert!(other.to_string().starts_with(what), "{other} is not {what}");
    }
    what.clone()
}

#[track_caller]
fn says(told: impl std::fmt::Display, wanted: &str) {
    let told = told.to_string();
    assert!(told.contains(wanted), "{told:?} does not say {wanted:?}");
}

#[test]
fn row_01_short_files_and_long_headers_are_refused() {
    for n in 0..8 {
        says(refused(&vec![0; n]), &format!("this file has {n}"));
    }
    says(refused(&[&1000u64.to_le_bytes()[..], b"{}"].concat()), "claims 1000 bytes, the file has 10");
    says(refused(&[&100_000_001u64.to_le_bytes()[..], b"{}"].concat()), "at most 100000000 are allowed");
}

#[test]
fn row_02_absurd_header_lengths_are_refused() {
    for length in [u64::MAX, u64::MAX - 7, 1 << 63, u64::from(u32::MAX)] {
        says(refused(&length.to_le_bytes()), &format!("claims {length} bytes"));
        says(refused(&[&length.to_le_bytes()[..], b"{}"].concat()), &format!("claims {length} bytes"));
    }
    says(refused(&0u64.to_le_bytes()), "not a JSON object");
}

#[test]
fn row_03_headers_that_are_no_object_of_tensors_are_refused() {
    let with = |header: &[u8]| refused(&[&(header.len() as u64).to_le_bytes(), header].concat());
    says(with(b"{\"a\xff\": 1}"), "not text");
    says(with(b"[]"), "not a JSON object");
    says(with(b"{"), "cannot be read");
    says(with(b"{\"a\": 1}"), "cannot be read");
    says(with(&[b'{'; 100_000]), "cannot be read");
    says(with(format!("{{\"a\": {}", "[".repeat(100_000)).as_bytes()), "cannot be read");
    says(with(br#"{"a":{"dtype":"F77","shape":[],"data_offsets":[0,0]}}"#), "F77");
    says(with(br#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}"#), "cannot be read");
    says(with(br#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,0]}}"#), "cannot be read");
    says(with(br#"{"a":{"dtype":"F32","shape":[1e99],"data_offsets":[0,0]}}"#), "cannot be read");
    says(with(br#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1}}"#), "unknown field `x`");
    says(with(br#"{"a":{"shape":[0],"data_offsets":[0,0]}}"#), "missing field `dtype`");
}

#[test]
fn row_03_a_million_tensors_are_refused_at_once() {
    let tensors: Vec<String> = (0..1_000_000).map(|i| format!(r#""{i}":{}"#, entry("[0]", 0, 0))).collect();
    let bytes = raw(&format!("{{{}}}", tensors.join(",")), &[]);
    assert!(bytes.len() > 50_000_000);
    let start = Instant::now();
    says(Weights::from_bytes("million", bytes).unwrap_err(), "more than 100000 tensors");
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
}

#[test]
fn row_04_overlapping_offsets_are_refused() {
    let two = |a: (u64, u64), b: (u64, u64), data: usize| {
        let header = format!(r#"{{"a":{},"b":{}}}"#, entry("[2]", a.0, a.1), entry("[2]", b.0, b.1));
        refused(&raw(&header, &vec![0; data]))
    };
    says(two((0, 8), (4, 12), 12), "tensor `b` overlaps");
    says(two((0, 8), (0, 8), 8), "overlaps");
    says(two((0, 8), (12, 20), 20), "4 bytes before tensor `b` belong to no tensor");
    says(two((4, 12), (12, 20), 20), "4 bytes before tensor `a`");
    says(two((8, 0), (8, 16), 16), "tensor `a` ends before it begins");
    says(two((0, 8), (8, 16), 12), "tensor `b` ends at byte 16 of 12");
    says(two((0, 8), (u64::MAX - 8, u64::MAX), 12), "of 12");
    says(two((0, 8), (8, 16), 17), "1 bytes after the last tensor");
    says(two((0, 8), (8, 12), 12), "takes 8 bytes, 4 are given");
}

#[test]
fn row_05_absurd_shapes_are_refused_and_empty_ones_are_read() {
    let one = |shape: &str| refused(&raw(&format!(r#"{{"a":{}}}"#, entry(shape, 0, 4)), &[0; 4]));
    says(one("[4294967296,4294967296,4294967296]"), "overflows");
    says(one("[18446744073709551615]"), "overflows");
    says(one("[4611686018427387905]"), "overflows");
    says(one("[0,18446744073709551615,18446744073709551615]"), "overflows");
    says(one("[18446744073709551616]"), "cannot be read");
    says(one(&format!("[{}1]", "1,".repeat(99))), "more than 8 axes");
    says(one(&format!("[{}1]", "1,".repeat(1_000_000))), "more than 8 axes");
    says(one("[0]"), "takes 0 bytes, 4 are given");

    let header = format!(r#"{{"none":{},"one":{}}}"#, entry("[3,0]", 0, 0), entry("[]", 0, 4));
    let weights = Weights::from_bytes("empty", raw(&header, &1f32.to_le_bytes())).unwrap();
    assert_eq!(weights.get("none", (3, 0)).unwrap().elem_count(), 0);
    assert_eq!(weights.get("one", ()).unwrap().to_scalar::<f32>().unwrap(), 1.0);
}

#[test]
fn row_06_a_tensor_that_stands_twice_is_refused() {
    let header = format!(r#"{{"a":{},"\u0061":{}}}"#, entry("[1]", 0, 4), entry("[1]", 4, 8));
    says(refused(&raw(&header, &[0; 8])), "tensor `a` stands twice");
    says(refused(&raw(r#"{"__metadata__":{},"__metadata__":{}}"#, &[])), "`__metadata__` stands twice");
    let header = r#"{"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}"#;
    says(refused(&raw(header, &[0; 4])), "duplicate field `dtype`");
}

#[test]
fn row_07_a_wrong_number_format_is_told_and_not_cast() {
    let header = r#"{"w":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"v":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]}}"#;
    let weights = Weights::from_bytes("ints", raw(header, &[1; 9])).unwrap();
    weights.get("w", 1).unwrap();
    weights.get("v", 1).unwrap();
    let told = weights.finish().unwrap_err();
    says(&told, "`w` wanted a float format, found I64");
    says(&told, "`v` wanted a float format, found BOOL");
}

#[test]
fn row_08_everything_that_does_not_fit_is_in_one_report() {
    let header = format!(r#"{{"a":{},"b":{},"c":{}}}"#, entry("[2]", 0, 8), entry("[1]", 8, 12), entry("[1]", 12, 16));
    let weights = Weights::from_bytes("toy", raw(&header, &[0; 16])).unwrap();
    weights.get("a", (2, 1)).unwrap();
    weights.get("b", 1).unwrap();
    weights.get("d", (4, 4)).unwrap();
    weights.get("e", 7).unwrap();
    let Err(Error::Weights(report)) = weights.finish() else { panic!("must fail") };
    assert_eq!(report.missing.keys().collect::<Vec<_>>(), ["d", "e"]);
    assert_eq!(report.misshapen["a"], (vec![2, 1], vec![2]));
    assert_eq!(report.unexpected, ["c"]);
    assert_eq!(report.to_string().lines().count(), 5);

    let only_extra = Weights::from_bytes("toy", raw(&header, &[0; 16])).unwrap();
    only_extra.get("a", 2).unwrap();
    assert_eq!(only_extra.finish().unwrap().unexpected, ["b", "c"], "a warning, no fault");
}

#[test]
fn row_09_a_file_cut_short_in_use_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let n = 1 << 20;
    let header = format!(r#"{{"a":{}}}"#, entry(&format!("[{n}]"), 0, 4 * n));
    for mmap in [true, false] {
        fs::write(&path, raw(&header, &vec![0; 4 * n as usize])).unwrap();
        let weights = Weights::open_with(&path, Options { mmap }).unwrap();
        weights.get("a", n as usize).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
        let told = weights.get("a", n as usize).unwrap_err();
        says(&told, "bytes when it was opened and has 4096 now");
        assert!(told.hint().is_some());
    }
}

#[test]
fn row_10_an_index_reaches_only_the_files_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("unet");
    fs::create_dir(&folder).unwrap();
    let shard = raw(&format!(r#"{{"a":{}}}"#, entry("[1]", 0, 4)), &[0; 4]);
    fs::write(dir.path().join("outside.safetensors"), &shard).unwrap();
    fs::write(folder.join("x-00001-of-00002.safetensors"), &shard).unwrap();
    let index = "diffusion_pytorch_model.safetensors.index.json";
    let told = |text: &str| {
        fs::write(folder.join(index), text).unwrap();
        Weights::open(&folder).unwrap_err()
    };
    let names = |shard: &str| told(&json!({"weight_map": {"a": shard}}).to_string());
    for way_out in ["../outside.safetensors", "/etc/passwd", "..", "a/../b.safetensors", "C:\\x.safetensors", "", "."] {
        says(names(way_out), &format!("the index names `{way_out}`"));
    }
    says(names(index), "only .safetensors files beside it");
    says(names("x\0.safetensors"), "only .safetensors files beside it");
    says(names("gone.safetensors"), "shard `gone.safetensors` is missing");
    let other = r#"{"weight_map": {"a": "x-00001-of-00002.safetensors", "b": "x-00001-of-00002.safetensors"}}"#;
    says(told(other), "the index puts tensor `b` into `x-00001-of-00002.safetensors`, and no shard holds it");
    fs::write(folder.join("x-00002-of-00002.safetensors"), &shard).unwrap();
    let both = r#"{"weight_map": {"a": "x-00001-of-00002.safetensors", "b": "x-00002-of-00002.safetensors"}}"#;
    says(told(both), "tensor `a` stands in another shard too");
    says(told(r#"{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}"#), "tensor `a` stands twice");
    says(told(r#"{"weight_map": {}}"#), "names 0 shards");
    says(told("{}"), "missing field `weight_map`");
    says(told(&"[".repeat(100_000)), "cannot be read");
    says(told(&format!(r#"{{"x": {}"#, "[".repeat(100_000))), "cannot be read");
}

#[cfg(unix)]
#[test]
fn row_10_a_linked_shard_stays_inside_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("unet");
    fs::create_dir(&folder).unwrap();
    let shard = raw(&format!(r#"{{"a":{}}}"#, entry("[1]", 0, 4)), &[0; 4]);
    fs::write(dir.path().join("outside.safetensors"), &shard).unwrap();
    std::os::unix::fs::symlink("../outside.safetensors", folder.join("s-1-of-1.safetensors")).unwrap();
    let index = r#"{"weight_map": {"a": "s-1-of-1.safetensors"}}"#;
    fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    says(Weights::open(&folder).unwrap_err(), "the link leads out of the model folder");
}

#[test]
fn row_12_pickles_are_refused_by_content_whatever_their_name() {
    let dir = tempfile::tempdir().unwrap();
    let pickles: [(&[u8], &str); 4] = [
        (b"PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl", "a zip archive as torch writes it"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "this is a pickle"),
        (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}.", "this is a pickle"),
        (b"(dp0\nS'a'\np1\nI1\ns.", "a"),
    ];
    for name in ["model.safetensors", "MODEL.CKPT", "model.Pt", "model.pTh", "pytorch_model.BIN"] {
        for (bytes, why) in pickles {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            let told = Weights::open(&path).unwrap_err();
            says(&told, why);
            if bytes[0] != b'(' || name != "model.safetensors" {
                says(&told, if bytes[0] == b'P' { "with a pickle inside" } else { "pickle" });
                says(told.hint().unwrap(), "take the .safetensors of the same model");
            }
        }
    }
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let lone = dir.path().join("lone");
    fs::create_dir(&lone).unwrap();
    fs::write(lone.join("diffusion_pytorch_model.BiN"), pickles[0].0).unwrap();
    says(Weights::open(&lone).unwrap_err(), "`diffusion_pytorch_model.BiN` is a pickle");
}

#[test]
fn row_12_a_header_that_begins_like_a_pickle_is_read() {
    // 640 bytes of header start with 0x80 0x02.
    let header = format!("{:<640}", "{}");
    let bytes = raw(&header, &[]);
    assert_eq!(bytes[..2], [0x80, 2]);
    Weights::from_bytes("lookalike", bytes).unwrap();
}

/// Runs `f` and fails if it takes long: what is tested here used to wait for ever.
fn soon<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, hear) = mpsc::channel();
    std::thread::spawn(move || tell.send(f()));
    hear.recv_timeout(Duration::from_secs(10)).expect("it must not hang")
}

#[cfg(unix)]
#[test]
fn row_13_devices_pipes_and_folders_are_no_models() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.safetensors");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = dir.path().join("model.safetensors");
    std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
    for path in [pipe.clone(), link, "/dev/zero".into(), "/dev/stdin".into(), "/dev/tty".into()] {
        for mmap in [true, false] {
            let at = path.clone();
            let told = soon(move || Weights::open_with(&at, Options { mmap }).unwrap_err());
            if path != Path::new("/dev/stdin") {
                says(told, "a regular file is wanted, this is a device or a pipe");
            }
        }
    }
    let only = dir.path().join("only");
    fs::create_dir(&only).unwrap();
    fs::rename(&pipe, only.join("model.safetensors")).unwrap();
    let told = soon(move || Weights::open(&only).unwrap_err());
    says(told, "this is a device or a pipe");

    // Configurations and vocabularies are files too.
    for name in ["config.json", "vocab.json"] {
        std::os::unix::fs::symlink("/dev/zero", dir.path().join(name)).unwrap();
    }
    let (config, folder) = (dir.path().join("config.json"), dir.path().to_owned());
    says(soon(move || UNetConfig::read(&config).unwrap_err()), "this is a device or a pipe");
    says(soon(move || Clip::open(&folder).unwrap_err()), "this is a device or a pipe");
}

fn published(name: &str) -> Value {
    reference::json_at(&archive::published().join(name))
}

#[test]
fn row_15_configurations_that_cannot_be_built_name_the_field() {
    let path = PathBuf::from("unet/config.json");
    let unet = |field: &str, value: Value| {
        let mut config = published("sdxl-base-1.0/unet.json");
        config[field] = value;
        UNetConfig::parse(&path, config.to_string().as_bytes()).unwrap_err().to_string()
    };
    let cases = [
        unet("block_out_channels", Value::Null),
        unet("block_out_channels", json!([])),
        unet("block_out_channels", json!([320, 640, 1u64 << 40])),
        unet("block_out_channels", json!([320, 640, 0])),
        unet("down_block_types", json!(["DownBlock2D"])),
        unet("down_block_types", json!(["DownBlock2D", "CrossAttnDownBlock2D", "AttnDownBlock2D"])),
        unet("up_block_types", json!(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"])),
        unet("attention_head_dim", json!([5, 10])),
        unet("attention_head_dim", json!([5, 10, 7])),
        unet("attention_head_dim", json!(0)),
        unet("transformer_layers_per_block", json!([1, 2, 1_000_000_000])),
        unet("transformer_layers_per_block", json!([1, [2, 2], 10])),
        unet("norm_num_groups", json!(33)),
        unet("norm_num_groups", json!(0)),
        unet("norm_eps", json!(-1.0)),
        unet("layers_per_block", json!(-2)),
        unet("in_channels", json!("four")),
        unet("cross_attention_dim", json!([2048, 2048, 1024])),
        unet("conv_in_kernel", json!(5)),
        unet("mid_block_type", json!("UNetMidBlock2D")),
        unet("class_embed_type", json!("timestep")),
        unet("addition_embed_type", json!("image")),
        unet("addition_time_embed_dim", json!(255)),
        unet("projection_class_embeddings_input_dim", Value::Null),
        unet("time_embedding_type", json!("fourier")),
        unet("use_linear_projection", json!("yes")),
    ];
    let fields = [
        "block_out_channels",
        "block_out_channels",
        "block_out_channels",
        "block_out_channels",
        "down_block_types",
        "down_block_types",
        "up_block_types",
        "attention_head_dim",
        "attention_head_dim",
        "attention_head_dim",
        "transformer_layers_per_block",
        "transformer_layers_per_block",
        "norm_num_groups",
        "norm_num_groups",
        "norm_eps",
        "layers_per_block",
        "in_channels",
        "cross_attention_dim",
        "conv_in_kernel",
        "mid_block_type",
        "class_embed_type",
        "addition_embed_type",
        "addition_time_embed_dim",
        "projection_class_embeddings_input_dim",
        "time_embedding_type",
        "use_linear_projection",
    ];
    for (told, field) in cases.iter().zip(fields) {
        assert!(told.starts_with(&format!("field `{field}` ")), "{told:?} does not name `{field}`");
        assert!(told.ends_with(": unet/config.json"), "{told:?} does not name the file");
    }
    let text = |json: &str| TextEncoderConfig::parse(Path::new("t.json"), json.as_bytes()).unwrap_err();
    says(text(r#"{"hidden_act": "relu"}"#), "field `hidden_act` is `relu`");
    says(text(r#"{"num_attention_heads": 7}"#), "field `num_attention_heads` is 7, which does not divide 512");
    says(text(r#"{"vocab_size": 1000000000}"#), "field `vocab_size` must be a whole number");
    says(text(r#"{"architectures": ["T5EncoderModel"]}"#), "`T5EncoderModel`, which is no CLIP text encoder");
    let vae = |json: &str| VaeConfig::parse(Path::new("v.json"), json.as_bytes()).unwrap_err();
    says(vae("{}"), "field `block_out_channels` is missing");
    says(vae(r#"{"latents_mean": [1, 2]}"#), "field `latents_mean` is [1,2], and only null is supported");
}

#[test]
fn row_15_depth_bombs_and_large_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    let deep = "[".repeat(500_000);
    for bomb in [deep.clone(), format!(r#"{{"x": {deep}"#), format!(r#"{{"x": {deep}{}}}"#, "]".repeat(500_000 - 10))] {
        fs::write(&path, &bomb).unwrap();
        says(UNetConfig::read(&path).unwrap_err(), "this is not the JSON of a configuration: recursion limit exceeded");
    }
    fs::File::create(&path).unwrap().set_len(1 << 32).unwrap();
    says(VaeConfig::read(&path).unwrap_err(), "the file has more than 1048576 bytes");
    let vocab = dir.path().join("vocab.json");
    fs::File::create(&vocab).unwrap().set_len(1 << 32).unwrap();
    says(Clip::open(dir.path()).unwrap_err(), "the file has more than 67108864 bytes");
}

#[test]
fn row_15_a_tokenizer_is_bounded_and_complete() {
    let clip = |vocab: &str, merges: &str| {
        let files = Files { vocab: vocab.as_bytes(), merges: merges.as_bytes(), config: b"{}", special_tokens: None };
        Clip::from_bytes("toy", &files).unwrap_err()
    };
    let huge: Vec<String> = (0..1_000_001).map(|i| format!("\"t{i}\":{}", i.min(999_999))).collect();
    let start = Instant::now();
    says(clip(&format!("{{{}}}", huge.join(",")), ""), "more than 1000000 tokens");
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
    says(clip(&format!(r#"{{"a": {}"#, "[".repeat(500_000)), ""), "the vocabulary cannot be read");
    says(clip("{}", ""), "the special token `<|startoftext|>` is not in the vocabulary");
    // The two parts are known and their join is longer than any token: the crate below would panic.
    says(clip(r#"{"a": 0, "b": 1}"#, "a b"), "line 1 uses `ab`, which is not in the vocabulary");

    let dir = tempfile::tempdir().unwrap();
    let told = Clip::open(dir.path()).unwrap_err();
    assert!(matches!(&told, Error::Io { path, .. } if path.ends_with("vocab.json")), "{told}");
}

#[test]
fn row_15_a_folder_tells_all_that_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    says(ModelFolder::open(dir.path()).unwrap_err(), "there is no `model_index.json`");
    let index = archive::published().join("sdxl-base-1.0/model_index.json");
    fs::copy(index, dir.path().join("model_index.json")).unwrap();
    fs::create_dir(dir.path().join("tokenizer")).unwrap();
    let told = ModelFolder::open(dir.path()).unwrap_err();
    for part in ["unet", "vae", "text_encoder_2", "tokenizer/merges.txt", "scheduler"] {
        says(&told, &format!("`{part}`"));
    }
    fs::write(dir.path().join("model_index.json"), r#"{"_class_name": "X", "unet": ["a", "b"]}"#).unwrap();
    says(ModelFolder::open(dir.path()).unwrap_err(), "`vae` (not in model_index.json)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Rows 1 to 8: whatever is done to a file, it is read or refused, and what is read stays inside of it.
    #[test]
    fn row_01_to_08_a_damaged_file_is_read_or_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let header = format!(r#"{{"a.b":{},"c":{},"d":{}}}"#, entry("[2,3]", 0, 24), entry("[0]", 24, 24), entry("[4]", 24, 40));
        let mut bytes = raw(&header, &[7; 40]);
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(weights) = Weights::from_bytes("damaged", bytes) {
            for name in ["a.b", "c", "d"] {
                let shape = weights.shape(name).unwrap_or_default();
                weights.get(name, shape).unwrap();
            }
            let _ = weights.finish();
        }
    }
}

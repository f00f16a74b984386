//! Faults of pictures and of file names, through the real nodes: rows 14, 22 and 26 to 35.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor, safetensors};
use darkroom_core::fault::{FaultKind, Faults};
use darkroom_core::graph;
use darkroom_core::image::Picture;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_core::plan::check;
use darkroom_models::nn::Mode;
use darkroom_nodes::pictures::picture_file::{self, Carried, Format, Making};
use darkroom_tests::reference;
use darkroom_tests::studio::{Studio, landscape};

/// A workflow that copies a picture.
fn copy(file: &str, name: &str) -> String {
    format!(
        "(darkroom: 1, nodes: {{ \"load\": (type: \"load_image\", file: {}), \"save\": (type: \"save_image\", image: (from: \"load\"), name: {}) }})",
        graph_text(file),
        graph_text(name)
    )
}

fn graph_text(text: &str) -> String {
    darkroom_core::literal::quote(text)
}

fn studio() -> (tempfile::TempDir, Studio) {
    let home = tempfile::tempdir().unwrap();
    let studio = Studio::at(home.path());
    (home, studio)
}

fn dot() -> Picture {
    Picture::new(2, 2, 3, vec![0.5; 12]).unwrap()
}

fn put_dot(studio: &Studio, name: &str) {
    std::fs::write(studio.input.join(name), picture_file::encode(&dot(), Format::Png, 90, Carried::default()).unwrap())
        .unwrap();
}

/// The one fault of a run, with its kind.
fn fault(result: Result<darkroom_core::engine::Report, Faults>) -> (FaultKind, String) {
    let faults = result.expect_err("this must not run");
    (faults.kind(), faults.to_string())
}

/// A PNG of the given header and chunks, with right checksums.
fn png(width: u32, height: u32, depth: u8, colour: u8, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([depth, colour, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let end: (&[u8; 4], Vec<u8>) = (b"IEND", Vec::new());
    for (kind, data) in std::iter::once(&(b"IHDR", header)).chain(chunks).chain(std::iter::once(&end)) {
        file.extend((data.len() as u32).to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(*kind);
        crc.update(data);
        file.extend(*kind);
        file.extend(data);
        file.extend(crc.sum().to_be_bytes());
    }
    file
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn row_14_nan_in_weights_is_named_with_node_and_step() {
    let (home, studio) = studio();
    let from = reference::root().join("models/tiny-sdxl-base");
    let to = studio.input.join("broken");
    copy_folder(&from, &to);
    let weights = to.join("unet/diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    // The last tensor of the file becomes NaN (f16).
    let length = bytes.len();
    for pair in bytes[length - 64..].chunks_exact_mut(2) {
        pair.copy_from_slice(&0x7e00_u16.to_le_bytes());
    }
    std::fs::write(&weights, bytes).unwrap();
    let workflow = landscape(64, "steps: 3", "name: \"x\"").replace("\"mini\"", "\"broken\"");
    let (kind, text) = fault(studio.run(&workflow));
    assert_eq!(kind, FaultKind::Numbers, "{text}");
    assert!(text.contains("denoise") && text.contains("no longer finite after step 1"), "{text}");
    assert!(studio.saved().is_empty());
    drop(home);
}

/// Writes the built-in autoencoder with one tensor changed, as `vae.safetensors`, and returns a workflow that decodes by it.
fn with_vae(
    studio: &Studio,
    tensor: &str,
    change: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
    decode: &str,
) -> String {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mini/weights/vae/diffusion_pytorch_model.safetensors");
    let tensors = safetensors::load(&mini, &Device::Cpu).unwrap().into_iter();
    let wide = tensors.map(|(name, x)| {
        let x = x.to_dtype(DType::F32).unwrap();
        let x = if name == tensor { change(&x).unwrap() } else { x };
        (name, x)
    });
    let tensors: HashMap<_, _> = wide.collect();
    safetensors::save(&tensors, studio.input.join("vae.safetensors")).unwrap();
    landscape(64, "steps: 1", "name: \"x\"")
        .replace("source: \"mini\"", "source: \"mini\", vae: \"vae.safetensors\"")
        .replace("type: \"vae_decode\"", &format!("type: \"vae_decode\"{decode}"))
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn see(&self, event: &Event<'_>) {
        if let Event::Warning { node: Some(node), text } = event {
            self.0.lock().unwrap().push(format!("{node}: {text}"));
        }
    }
}

#[test]
fn row_14_a_picture_of_numbers_that_are_none_is_black_only_if_somebody_asks() {
    let (_home, studio) = studio();
    for decode in ["", ", on_flaw: \"fail\""] {
        let workflow = with_vae(&studio, "decoder.conv_out.bias", |x| x.affine(0.0, f64::NAN), decode);
        let (kind, text) = fault(studio.run(&workflow));
        assert_eq!(kind, FaultKind::Numbers, "{text}");
        assert!(text.contains("decode") && text.contains("not finite"), "{text}");
        assert!(studio.saved().is_empty());
    }
    let workflow = with_vae(&studio, "decoder.conv_out.bias", |x| x.affine(0.0, f64::NAN), ", on_flaw: \"black\"");
    let heard = Heard::default();
    studio.run_watched(&workflow, &heard, &Cancel::new()).unwrap();
    let told = heard.0.into_inner().unwrap();
    assert_eq!(told, ["decode: picture 1 has numbers that are not finite, and is black as `on_flaw` asks"]);
    let [saved] = &studio.saved()[..] else { panic!("one picture") };
    let picture = picture_file::read(&studio.output.join(saved)).unwrap();
    assert!(picture.samples().iter().all(|sample| *sample == 0.0));
}

/// Other programs compute SDXL's autoencoder in f16, where it overflows, and try again in f32. Here nothing is computed in
/// f16, and bf16 has the exponent of f32: what overflows in the one overflows in the other, so that there is no second try.
#[test]
fn row_14_an_autoencoder_beyond_f16_decodes_in_every_mode_at_once() {
    let largest = half::bf16::MAX.to_f32();
    assert!(largest > 0.99 * f32::MAX && largest > 1e30 * half::f16::MAX.to_f32());
    let (_home, studio) = studio();
    let reach = |x: &Tensor| x.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
    let change = |x: &Tensor| {
        let x = x.affine(1e7, 0.0)?;
        assert!(half::f16::from_f32(reach(&x)).is_infinite(), "a weight of {} fits f16", reach(&x));
        Ok(x)
    };
    let workflow = with_vae(&studio, "decoder.conv_in.weight", change, "");
    let picture = |mode| {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = Studio::at(home.path()).with_mode(mode);
        std::fs::copy(studio.input.join("vae.safetensors"), elsewhere.input.join("vae.safetensors")).unwrap();
        elsewhere.run(&workflow).unwrap();
        let [saved] = &elsewhere.saved()[..] else { panic!("one picture") };
        picture_file::read(&elsewhere.output.join(saved)).unwrap().samples().to_vec()
    };
    let exact = picture(Mode::Exact);
    for mode in [Mode::Fast, Mode::Int8] {
        let other = picture(mode);
        let gap = exact.iter().zip(&other).map(|(a, b)| (a - b).abs()).sum::<f32>() / exact.len() as f32;
        assert!(gap < 0.05, "{mode}: {gap}");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn fault_22_sizes_steps_and_seeds_out_of_range_are_refused_together() {
    let (_home, studio) = studio();
    let workflow = landscape(256, "steps: 1000000000, seed: -1, guidance: 1e9", "name: \"x\"")
        .replace("width: 256, height: 256", "width: 1000000000, height: 250, count: 1000000");
    let engine = studio.engine();
    let loaded = graph::read(&workflow).unwrap();
    let faults = check(&loaded.graph, engine.registry(), engine.host()).expect_err("nothing of this is possible");
    let text = loaded.places.locate(faults.clone()).to_string();
    assert_eq!(faults.0.len(), 6, "{text}");
    for (input, what) in [
        ("width", "1000000000 is out of range"),
        ("height", "250 is not a multiple of 8"),
        ("count", "1000000 is out of range"),
        ("steps", "1000000000 is out of range"),
        ("seed", "-1 is out of range"),
        ("guidance", "1000000000.0 is out of range"),
    ] {
        assert!(text.lines().any(|line| line.contains(input) && line.contains(what)), "{input}: {text}");
    }
    assert!(faults.0.iter().all(|located| located.fault.hint.is_some()));
}

#[test]
fn fault_26_a_picture_bomb_is_refused_before_it_is_unpacked() {
    let (_home, studio) = studio();
    let rows = deflate(&vec![0; 1 << 16]);
    for (name, width, height) in
        [("wide.png", 2_000_000_000, 2_000_000_000), ("edge.png", 20_000, 1), ("area.png", 16_000, 16_000)]
    {
        std::fs::write(studio.input.join(name), png(width, height, 8, 2, &[(b"IDAT", rows.clone())])).unwrap();
        let (kind, text) = fault(studio.run(&copy(name, "x")));
        assert_eq!(kind, FaultKind::File, "{text}");
        assert!(text.contains(name), "{text}");
    }
    assert!(studio.saved().is_empty());
}

#[test]
fn fault_27_a_cut_or_broken_picture_is_refused() {
    let (_home, studio) = studio();
    let noise: Vec<f32> = (0..64 * 64 * 3).map(|i| (i * 7919 % 256) as f32 / 255.0).collect();
    let whole =
        picture_file::encode(&Picture::new(64, 64, 3, noise).unwrap(), Format::Png, 90, Carried::default()).unwrap();
    let mut broken = whole.clone();
    broken[whole.len() / 2] ^= 0x55;
    for (name, bytes) in
        [("cut.png", &whole[..whole.len() / 2]), ("empty.png", &[]), ("crc.png", &broken), ("text.png", b"no picture")]
    {
        std::fs::write(studio.input.join(name), bytes).unwrap();
        let (kind, text) = fault(studio.run(&copy(name, "x")));
        assert_eq!(kind, FaultKind::File, "{text}");
        assert!(text.contains(name), "{text}");
    }
    assert!(studio.saved().is_empty());
}

#[test]
fn fault_28_a_zip_bomb_in_the_metadata_is_not_unpacked() {
    let (_home, studio) = studio();
    let bomb = deflate(&vec![b'x'; 64 << 20]);
    let text = [b"darkroom\0\x01\0\0\0".to_vec(), bomb.clone()].concat();
    let profile = [b"icc\0\0".to_vec(), bomb].concat();
    let pixels = deflate(&[0, 1, 2, 3]);
    let path = studio.input.join("bomb.png");
    std::fs::write(&path, png(1, 1, 8, 2, &[(b"iCCP", profile), (b"iTXt", text), (b"IDAT", pixels)])).unwrap();
    let refused = picture_file::making(&path).expect_err("the workflow is too long");
    assert!(refused.message.contains("more than"), "{refused}");
    // Its pixels are fine.
    studio.run(&copy("bomb.png", "x")).unwrap();
    let text = [b"parameters\0\0".to_vec(), deflate(&vec![b'x'; 64 << 20])].concat();
    let pixels = deflate(&[0, 1, 2, 3]);
    std::fs::write(&path, png(1, 1, 8, 2, &[(b"zTXt", text), (b"IDAT", pixels)])).unwrap();
    let refused = picture_file::making(&path).expect_err("the parameters are too long");
    assert!(refused.message.contains("`parameters` has more than"), "{refused}");
}

#[test]
fn fault_29_unusual_pictures_have_a_defined_conversion() {
    let (_home, studio) = studio();
    let grey_alpha = png(1, 1, 8, 4, &[(b"IDAT", deflate(&[0, 128, 64]))]);
    let sixteen = png(1, 1, 16, 2, &[(b"IDAT", deflate(&[0, 0xff, 0xff, 0x80, 0, 0, 0]))]);
    let palette = png(1, 1, 8, 3, &[(b"PLTE", vec![10, 20, 30]), (b"IDAT", deflate(&[0, 0]))]);
    let cases: [(&str, Vec<u8>, u32, Vec<u8>); 3] = [
        ("grey_alpha.png", grey_alpha, 4, vec![128, 128, 128, 64]),
        ("sixteen.png", sixteen, 3, vec![255, 128, 0]),
        ("palette.png", palette, 3, vec![10, 20, 30]),
    ];
    for (name, bytes, channels, wanted) in cases {
        let path = studio.input.join(name);
        std::fs::write(&path, bytes).unwrap();
        let picture = picture_file::read(&path).unwrap();
        assert_eq!((picture.width(), picture.height(), picture.channels()), (1, 1, channels), "{name}");
        assert_eq!(picture.to_bytes(), wanted, "{name}");
    }
    std::fs::write(studio.input.join("nothing.png"), png(0, 0, 8, 2, &[])).unwrap();
    assert_eq!(fault(studio.run(&copy("nothing.png", "x"))).0, FaultKind::File);
}

#[test]
fn fault_29_a_photograph_taken_sideways_stands_upright() {
    let (_home, studio) = studio();
    let wide = Picture::new(16, 8, 3, vec![0.5; 16 * 8 * 3]).unwrap();
    let jpeg = picture_file::encode(&wide, Format::Jpeg, 90, Carried::default()).unwrap();
    // An EXIF block whose only entry is orientation 6: turn right.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut turned = jpeg[..2].to_vec();
    turned.extend([0xff, 0xe1]);
    turned.extend((exif.len() as u16 + 2).to_be_bytes());
    turned.extend(exif);
    turned.extend(&jpeg[2..]);
    let path = studio.input.join("sideways.jpg");
    std::fs::write(&path, turned).unwrap();
    assert_eq!(picture_file::size(&path), Ok((8, 16)));
    let picture = picture_file::read(&path).unwrap();
    assert_eq!((picture.width(), picture.height()), (8, 16));
}

#[test]
fn fault_30_a_name_never_leaves_the_output_folder() {
    let (home, studio) = studio();
    put_dot(&studio, "dot.png");
    for name in ["../../x", "/tmp/x", "C:\\x", "\\\\server\\x", "a/../../x", ".."] {
        let (kind, text) = fault(studio.run(&copy("dot.png", name)));
        assert_eq!(kind, FaultKind::File, "{text}");
    }
    let long = "n".repeat(300);
    for name in ["CON", "trailing...", &long, "a\u{202e}gnp", "deep/er/down"] {
        studio.run(&copy("dot.png", name)).unwrap();
    }
    let mut saved = studio.saved();
    saved.sort();
    assert_eq!(saved.len(), 5);
    assert!(saved.contains(&"_CON.png".to_owned()) && saved.contains(&"deep/er/down.png".to_owned()), "{saved:?}");
    assert!(saved.iter().all(|name| !name.contains('\u{202e}') && name.len() < 200), "{saved:?}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 4, "nothing lies beside the folders");
}

#[cfg(unix)]
#[test]
fn fault_30_a_link_in_the_output_folder_does_not_lead_out() {
    let (home, studio) = studio();
    put_dot(&studio, "dot.png");
    let outside = home.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, studio.output.join("link")).unwrap();
    let (_, text) = fault(studio.run(&copy("dot.png", "link/x")));
    assert!(text.contains("leads out of the output folder"), "{text}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn fault_31_a_prompt_in_a_file_name_is_made_harmless() {
    let (_home, studio) = studio();
    let text = "a/b\\nc $(touch x) `id` ../..";
    let workflow = landscape(64, "steps: 1", "name: \"%prompt.text%-%width%\"").replace("a lake at noon", text);
    studio.run(&workflow).unwrap();
    assert_eq!(studio.saved(), ["a_b_c __touch x_ _id_ .._..-64.png"]);
}

#[test]
fn fault_32_two_who_save_under_one_name_do_not_replace_each_other() {
    let home = tempfile::tempdir().unwrap();
    let (written, count) = (AtomicUsize::new(0), 24);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (home, written) = (home.path(), &written);
            scope.spawn(move || {
                for _ in 0..count {
                    let name = |attempt: u32| home.join(format!("x-{attempt}.png"));
                    let path = picture_file::write_new(&[thread; 100], name).unwrap();
                    assert_eq!(std::fs::read(path).unwrap(), [thread; 100]);
                    written.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), written.load(Ordering::Relaxed));
}

#[test]
fn fault_33_a_graph_reads_no_file_outside_its_roots() {
    let (home, studio) = studio();
    std::fs::write(home.path().join("secret.png"), b"x").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(home.path().join("secret.png"), studio.input.join("link.png")).unwrap();
    for (name, what) in [
        ("../secret.png", "--allow"),
        ("link.png", "--allow"),
        ("/etc/passwd", "--allow"),
        ("https://example.org/a.png", "download"),
        ("file:///etc/passwd", "download"),
    ] {
        let faults = studio.run(&copy(name, "x")).expect_err("outside");
        let hint = faults.0[0].fault.hint.clone().unwrap_or_default();
        assert!(faults.kind() == FaultKind::File && hint.contains(what), "{name}: {faults} ({hint})");
    }
}

#[test]
fn fault_34_a_workflow_out_of_a_picture_is_checked_like_any_other() {
    let (_home, studio) = studio();
    let evil = "(darkroom: 1, nodes: {\"<script>\": (type: \"load_image\", file: \"../../secret\", onload: \"<b>\")})";
    let path = studio.input.join("evil.png");
    std::fs::write(
        &path,
        picture_file::encode(&dot(), Format::Png, 90, Carried { workflow: evil, ..Carried::default() }).unwrap(),
    )
    .unwrap();
    let Making::Workflow(text) = picture_file::making(&path).unwrap() else { panic!("it carries a workflow") };
    assert_eq!(text, evil);
    let engine = studio.engine();
    let faults = check(&graph::read(&text).unwrap().graph, engine.registry(), engine.host()).expect_err("two faults");
    assert_eq!(faults.0.len(), 2, "{faults}");
}

#[cfg(unix)]
#[test]
fn fault_35_a_full_disk_leaves_no_half_picture() {
    let (home, studio) = studio();
    // Noise does not pack.
    let mut state = 1_u64;
    let noise = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as f32 / 255.0
    };
    let big: Vec<f32> = (0..256 * 256 * 3).map(noise).collect();
    let bytes =
        picture_file::encode(&Picture::new(256, 256, 3, big).unwrap(), Format::Png, 90, Carried::default()).unwrap();
    std::fs::write(studio.input.join("big.png"), bytes).unwrap();
    let workflow = home.path().join("w.ron");
    std::fs::write(&workflow, copy("big.png", "x")).unwrap();
    // A limit on the size of files stands in for the full disk: the write breaks off half way.
    let mut run = Command::new("bash");
    run.args(["-c", "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$1\" \"$2\"", env!("CARGO_BIN_EXE_develop")]);
    let output = run.arg(home.path()).arg(&workflow).output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("cannot write") && text.contains("output"), "{text}");
    assert!(studio.saved().is_empty(), "{:?}", studio.saved());
    // With room again, the same workflow saves.
    studio.run(&copy("big.png", "x")).unwrap();
    assert_eq!(studio.saved(), ["x.png"]);
}

#[test]
fn a_killed_denoise_resumes_from_its_last_checkpoint() {
    let (home, studio) = studio();
    let workflow = landscape(128, "steps: 400, seed: 5, sampler: \"euler_ancestral\"", "name: \"x\"");
    let file = home.path().join("w.ron");
    std::fs::write(&file, &workflow).unwrap();
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_develop")).arg(home.path()).arg(&file).stdout(Stdio::piped()).spawn().unwrap()
    };
    // Killed as soon as it has passed a checkpoint (they are about 1.5 s apart).
    let mut child = start();
    let began = std::time::Instant::now();
    let mut last = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        last = step_of(&line).unwrap_or(last);
        if began.elapsed().as_millis() >= 2500 && last > 0 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!((1..400).contains(&last), "the run was through before it could be killed");

    let output = start().wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let first = text.lines().find_map(step_of).unwrap();
    assert!(first > 1, "it began anew");
    assert!(text.contains("cached prompt") && text.contains("ran denoise"), "{text}");

    // The picture is the one of a run that was not killed.
    let (_other_home, other) = {
        let home = tempfile::tempdir().unwrap();
        let studio = Studio::at(home.path());
        (home, studio)
    };
    other.run(&workflow).unwrap();
    let picture = |studio: &Studio| picture_file::read(&studio.output.join("x.png")).unwrap();
    assert_eq!(picture(&studio), picture(&other));
}

fn step_of(line: &str) -> Option<usize> {
    line.strip_prefix("denoise ")?.split('/').next()?.parse().ok()
}

/// Asks to stop at the first sign of work of a node, and counts what comes after.
struct StopAt {
    node: &'static str,
    cancel: Cancel,
    after: AtomicUsize,
}

impl Observer for StopAt {
    fn see(&self, event: &Event<'_>) {
        if let Event::Progress { node, .. } = event
            && *node == self.node
        {
            if self.cancel.is_asked() {
                self.after.fetch_add(1, Ordering::Relaxed);
            }
            self.cancel.ask();
        }
    }
}

#[test]
fn a_cancel_is_heard_inside_every_heavy_node() {
    for node in ["prompt", "denoise", "decode"] {
        let (_home, studio) = studio();
        let cancel = Cancel::new();
        let stop = StopAt { node, cancel: cancel.clone(), after: AtomicUsize::new(0) };
        let faults =
            studio.run_watched(&landscape(64, "steps: 5", "name: \"x\""), &stop, &cancel).expect_err("cancelled");
        assert_eq!(faults.kind(), FaultKind::Cancelled, "{node}: {faults}");
        assert_eq!(stop.after.load(Ordering::Relaxed), 0, "{node} went on");
        assert!(studio.saved().is_empty());
    }
}

//! Picture files: read with limits, written with the workflow inside.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use darkroom_core::fault::Fault;
use darkroom_core::image::Picture;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageReader, Limits};

use crate::pictures::parameters::{Parameters, exif};

/// Most pixels along an edge.
const MAX_EDGE: u32 = 16_384;
/// Most pixels of a picture.
const MAX_PIXELS: u64 = 1 << 27;
/// Most bytes that a decoder may ask for.
const MAX_BYTES: u64 = 2 << 30;
/// Most bytes of a text chunk, unpacked.
const MAX_TEXT: usize = 1 << 20;
/// The keyword under which a PNG carries its workflow.
const KEYWORD: &str = "darkroom";
/// The keyword under which A1111 and its kin say how a PNG was made.
const PARAMETERS: &str = "parameters";
/// The keywords of ComfyUI.
const COMFYUI: [&str; 2] = ["prompt", "workflow"];

/// Reads a PNG, JPEG or WebP: the first picture of an animation, upright, as RGB or RGBA.
///
/// # Errors
/// A fault of the file.
pub fn read(path: &Path) -> Result<Picture, Fault> {
    let mut decoder = open(path)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| unreadable(path, &error))?;
    image.apply_orientation(orientation);
    to_picture(image).ok_or_else(|| unreadable(path, &"it has no pixels"))
}

fn unreadable(path: &Path, what: &dyn std::fmt::Display) -> Fault {
    Fault::file(format!("`{}` cannot be read as a picture: {what}", path.display()))
}

/// Reads the header, and refuses what is too large before anything is allocated for it.
fn open(path: &Path) -> Result<impl ImageDecoder, Fault> {
    let reader = ImageReader::open(path).map_err(|error| Fault::io("read", path, &error))?;
    let mut reader = reader.with_guessed_format().map_err(|error| Fault::io("read", path, &error))?;
    if reader.format().is_none() {
        return Err(unreadable(path, &"it is neither PNG, JPEG nor WebP"));
    }
    reader.limits(limits());
    let decoder = reader.into_decoder().map_err(|error| unreadable(path, &error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || width == 0 || height == 0 {
        return Err(unreadable(path, &format!("it has {width}×{height} pixels"))
            .hint(format!("pictures may have up to {MAX_PIXELS} pixels")));
    }
    Ok(decoder)
}

fn upright_size(mut decoder: impl ImageDecoder) -> (u32, u32) {
    let (width, height) = decoder.dimensions();
    match decoder.orientation() {
        Ok(
            Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH,
        ) => (height, width),
        _ => (width, height),
    }
}

/// Reads the size of an upright picture from its header.
///
/// # Errors
/// A fault of the file.
pub fn size(path: &Path) -> Result<(u32, u32), Fault> {
    let decoder = open(path)?;
    Ok(upright_size(decoder))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_EDGE);
    limits.max_image_height = Some(MAX_EDGE);
    limits.max_alloc = Some(MAX_BYTES);
    limits
}

fn to_picture(image: DynamicImage) -> Option<Picture> {
    let (width, height) = (image.width(), image.height());
    if image.color().has_alpha() {
        Picture::new(width, height, 4, image.into_rgba32f().into_raw())
    } else {
        Picture::new(width, height, 3, image.into_rgb32f().into_raw())
    }
}

/// What a picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, darkroom_core::Choice)]
pub enum Format {
    /// Lossless, with the workflow inside.
    Png,
    /// Small and lossy.
    Jpeg,
    /// Lossless and smaller than PNG.
    Webp,
}

impl Format {
    /// Returns the ending of file names.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
        }
    }
}

/// What a picture carries beside its pixels; an empty text is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Carried<'t> {
    /// The workflow that made it; PNG alone has a place for it.
    pub workflow: &'t str,
    /// How it was made, in A1111's words.
    pub parameters: &'t str,
}

/// Writes a picture to memory, with what it carries.
///
/// # Errors
/// A bug: memory takes everything.
pub fn encode(picture: &Picture, format: Format, quality: u8, carried: Carried<'_>) -> Result<Vec<u8>, Fault> {
    let bytes = picture.to_bytes();
    let written = |error: image::ImageError| Fault::bug(format!("writing a {format:?} picture: {error}"));
    match format {
        Format::Png => {
            encode_png(picture, &bytes, carried).map_err(|error| Fault::bug(format!("writing a PNG: {error}")))
        }
        Format::Jpeg => {
            let mut out = Cursor::new(Vec::new());
            let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality);
            comment(&mut encoder, carried)?;
            as_image(picture, bytes)?.into_rgb8().write_with_encoder(encoder).map_err(written)?;
            Ok(out.into_inner())
        }
        Format::Webp => {
            let mut out = Cursor::new(Vec::new());
            let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut out);
            comment(&mut encoder, carried)?;
            as_image(picture, bytes)?.write_with_encoder(encoder).map_err(written)?;
            Ok(out.into_inner())
        }
    }
}

/// The longest block of EXIF: a segment of a JPEG holds 64 KiB.
const MAX_EXIF: usize = 65_000;

/// Writes the parameters where formats without texts have room for them; too long ones are left out.
fn comment(encoder: &mut impl ImageEncoder, carried: Carried<'_>) -> Result<(), Fault> {
    let block = exif::write(carried.parameters);
    if carried.parameters.is_empty() || block.len() > MAX_EXIF {
        return Ok(());
    }
    encoder.set_exif_metadata(block).map_err(|error| Fault::bug(format!("writing EXIF: {error}")))
}

fn as_image(picture: &Picture, bytes: Vec<u8>) -> Result<DynamicImage, Fault> {
    let (width, height) = (picture.width(), picture.height());
    let image = match picture.channels() {
        4 => image::RgbaImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgba8),
        _ => image::RgbImage::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8),
    };
    image.ok_or_else(|| Fault::bug("a picture has another number of samples than pixels"))
}

fn encode_png(picture: &Picture, bytes: &[u8], carried: Carried<'_>) -> Result<Vec<u8>, png::EncodingError> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, picture.width(), picture.height());
    encoder.set_color(if picture.channels() == 4 { png::ColorType::Rgba } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    if !carried.workflow.is_empty() {
        encoder.add_itxt_chunk(KEYWORD.to_owned(), carried.workflow.to_owned())?;
    }
    // Others read a plain text chunk first; it holds Latin-1 alone.
    let (name, text) = (PARAMETERS.to_owned(), carried.parameters.to_owned());
    match text.chars().all(|c| u32::from(c) < 256) {
        _ if text.is_empty() => {}
        true => encoder.add_text_chunk(name, text)?,
        false => encoder.add_itxt_chunk(name, text)?,
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(out)
}

/// Tells whether a file starts as a PNG does.
pub fn is_png(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = [0; 8];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"\x89PNG\r\n\x1a\n"
}

/// What a picture says of its making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Making {
    /// A workflow of ours.
    Workflow(String),
    /// A1111's words.
    Parameters(String),
    /// A workflow of ComfyUI, which is not read.
    Comfyui,
    /// Nothing.
    Nothing,
}

/// Reads what a picture says of its making: the best of what there is.
///
/// # Errors
/// A fault of the file.
pub fn making(path: &Path) -> Result<Making, Fault> {
    if is_png(path) {
        return making_of_png(path);
    }
    let comment = open(path)?.exif_metadata().ok().flatten().and_then(|block| exif::read(&block));
    // Cameras and people write comments too.
    let comment = comment.filter(|text| text.len() <= MAX_TEXT && !Parameters::parse(text).settings.is_empty());
    Ok(comment.map_or(Making::Nothing, Making::Parameters))
}

fn making_of_png(path: &Path) -> Result<Making, Fault> {
    let fail = |what: String| Fault::file(format!("`{}` cannot be read as a PNG: {what}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| Fault::io("read", path, &error))?;
    let limits = png::Limits { bytes: 64 << 20 };
    let mut decoder = png::Decoder::new_with_limits(std::io::BufReader::new(file), limits);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(|error| fail(error.to_string()))?;
    if text_of(reader.info(), KEYWORD).is_none() {
        // Other programs may put the text behind the pixels.
        reader.finish().map_err(|error| fail(error.to_string()))?;
    }
    let info = reader.info();
    let read = |name: &str| text_of(info, name).map(|text| text.map_err(&fail)).transpose();
    if let Some(workflow) = read(KEYWORD)? {
        return Ok(Making::Workflow(workflow));
    }
    if let Some(parameters) = read(PARAMETERS)? {
        return Ok(Making::Parameters(parameters));
    }
    let comfyui = COMFYUI.iter().filter_map(|name| text_of(info, name)?.ok());
    Ok(match comfyui.into_iter().any(|text| text.trim_start().starts_with('{')) {
        true => Making::Comfyui,
        false => Making::Nothing,
    })
}

/// Finds the text of a keyword in any of a PNG's three kinds of text, unpacked within bounds.
fn text_of(info: &png::Info<'_>, name: &str) -> Option<Result<String, String>> {
    let long = || format!("its text `{name}` has more than {MAX_TEXT} bytes");
    let bounded = |text: String| if text.len() > MAX_TEXT { Err(long()) } else { Ok(text) };
    if let Some(text) = info.utf8_text.iter().find(|text| text.keyword == name) {
        let mut text = text.clone();
        let unpacked = text.decompress_text_with_limit(MAX_TEXT).map_err(|_| long());
        return Some(unpacked.and_then(|()| text.get_text().map_err(|error| error.to_string())).and_then(bounded));
    }
    if let Some(text) = info.uncompressed_latin1_text.iter().find(|text| text.keyword == name) {
        return Some(bounded(text.text.clone()));
    }
    let text = info.compressed_latin1_text.iter().find(|text| text.keyword == name)?;
    let mut text = text.clone();
    let unpacked = text.decompress_text_with_limit(MAX_TEXT).map_err(|_| long());
    Some(unpacked.and_then(|()| text.get_text().map_err(|error| error.to_string())).and_then(bounded))
}

/// Writes a new file without ever replacing one: `write(n)` names the file of the `n`-th attempt, from 0.
///
/// # Errors
/// A fault of the folder or the disk; nothing half-written stays.
pub fn write_new(bytes: &[u8], name: impl Fn(u32) -> PathBuf) -> Result<PathBuf, Fault> {
    let first = name(0);
    let folder = first.parent().unwrap_or(Path::new("."));
    let aside = folder.join(format!(".{}-{}.tmp", std::process::id(), darkroom_core::files::next_number()));
    darkroom_core::files::write_aside(&aside, bytes)?;
    let placed = place(&aside, name);
    let _ = std::fs::remove_file(&aside);
    placed
}

/// Most files of one name in one folder.
const MAX_ATTEMPTS: u32 = 1_000_000;

fn place(aside: &Path, name: impl Fn(u32) -> PathBuf) -> Result<PathBuf, Fault> {
    for attempt in 0..MAX_ATTEMPTS {
        let path = name(attempt);
        // A hard link fails if the name is taken, by whomever, so nothing is ever replaced.
        match std::fs::hard_link(aside, &path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => match copy_new(aside, &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(_) => return Err(Fault::io("write", &path, &error)),
            },
        }
    }
    Err(Fault::file(format!("there are {MAX_ATTEMPTS} files named like `{}`", name(0).display()))
        .hint("choose another name"))
}

/// For file systems without hard links.
fn copy_new(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut source = std::fs::File::open(from)?;
    let mut target = std::fs::OpenOptions::new().write(true).create_new(true).open(to)?;
    std::io::copy(&mut source, &mut target)
        .and_then(|_| target.sync_all())
        .inspect_err(|_| drop(std::fs::remove_file(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        Picture::new(3, 2, 3, (0..18).map(|i| i as f32 / 17.0).collect::<Vec<_>>()).expect("eighteen samples")
    }

    #[test]
    fn a_png_carries_its_workflow() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("a.png");
        let text = "(darkroom: 1, nodes: {\"p\": (type: \"text\", text: \"夜\")})";
        let carried = Carried { workflow: text, parameters: "a cat" };
        std::fs::write(&path, encode(&picture(), Format::Png, 90, carried).expect("memory")).expect("a file");
        assert_eq!(making(&path), Ok(Making::Workflow(text.to_owned())));
        assert_eq!(read(&path).expect("a picture").to_bytes(), picture().to_bytes());
    }

    #[test]
    fn a_webp_is_lossless_and_a_jpeg_is_near() {
        let home = tempfile::tempdir().expect("a folder");
        for (format, most) in [(Format::Webp, 0), (Format::Jpeg, 60)] {
            let path = home.path().join(format.ending());
            std::fs::write(&path, encode(&picture(), format, 95, Carried::default()).expect("memory")).expect("a file");
            assert_eq!(making(&path), Ok(Making::Nothing));
            let back = read(&path).expect("a picture").to_bytes();
            let off = back.iter().zip(picture().to_bytes()).map(|(a, b)| a.abs_diff(b)).max();
            assert!(off <= Some(most), "{format:?} is off by {off:?}");
        }
    }

    #[test]
    fn every_format_carries_parameters() {
        let home = tempfile::tempdir().expect("a folder");
        for format in [Format::Png, Format::Webp, Format::Jpeg] {
            for prompt in ["a cat", "a café", "夜"] {
                let text = format!("{prompt}\nSteps: 20, Sampler: Euler, Seed: 7");
                let path = home.path().join(format.ending());
                let carried = Carried { workflow: "", parameters: &text };
                std::fs::write(&path, encode(&picture(), format, 95, carried).expect("memory")).expect("a file");
                assert_eq!(making(&path), Ok(Making::Parameters(text)), "{format:?}");
            }
            let carried = Carried { workflow: "", parameters: &"x".repeat(100_000) };
            let path = home.path().join(format.ending());
            std::fs::write(&path, encode(&picture(), format, 95, carried).expect("memory")).expect("a file");
            read(&path).expect("a picture all the same");
        }
    }

    #[test]
    fn nothing_is_ever_replaced() {
        let home = tempfile::tempdir().expect("a folder");
        let name = |attempt: u32| home.path().join(format!("a{attempt}"));
        for byte in 0..3 {
            assert_eq!(write_new(&[byte], name).expect("room"), home.path().join(format!("a{byte}")));
        }
        assert_eq!(std::fs::read(home.path().join("a0")).expect("a file"), [0]);
        assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 3);
    }
}

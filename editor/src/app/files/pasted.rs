//! Pictures from the clipboard: each is kept in a file, which a node reads.

use std::path::{Path, PathBuf};

use darkroom_core::fault::Fault;
use darkroom_core::files::write_aside;
use darkroom_core::fingerprint::Fingerprint;
use egui::ColorImage;
use image::{ExtendedColorType, ImageEncoder as _};

use super::words;
use crate::app::App;

/// Where pasted pictures lie: below the workflow's folder, or that of the editor's state.
const FOLDER: &str = "input";

impl App {
    /// Keeps a picture beside the workflow, and adds a node that reads it under the hand.
    pub(in crate::app) fn paste_picture(&mut self, picture: &ColorImage) {
        let Some(folder) = self.pasted_folder() else {
            self.say("save the workflow first: a picture is kept beside it");
            return;
        };
        match keep(picture, &folder) {
            Ok(file) => self.add_file("load_image", "file", &file),
            Err(fault) => self.say(words(&fault)),
        }
    }

    fn pasted_folder(&self) -> Option<PathBuf> {
        let home = self.tab().document.path().and_then(Path::parent).map(Path::to_owned);
        Some(home.or_else(|| self.keeping.disk.state.clone())?.join(FOLDER))
    }
}

/// Writes a picture as a PNG that is named by its content, unless it is there.
fn keep(picture: &ColorImage, folder: &Path) -> Result<PathBuf, Fault> {
    let [width, height] = picture.size.map(|edge| edge as u32);
    let pixels: Vec<u8> = picture.pixels.iter().flat_map(|pixel| pixel.to_srgba_unmultiplied()).collect();
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    encoder
        .write_image(&pixels, width, height, ExtendedColorType::Rgba8)
        .map_err(|error| Fault::file(format!("the picture on the clipboard cannot be kept: {error}")))?;
    let file = folder.join(format!("pasted-{}.png", &Fingerprint::of_bytes(&bytes).to_string()[..16]));
    if !file.exists() {
        write_aside(&file, &bytes)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use egui::Color32;

    use super::*;

    #[test]
    fn a_picture_is_kept_once_under_a_name_by_its_content() {
        let home = tempfile::tempdir().expect("a folder");
        let red = ColorImage::filled([3, 2], Color32::from_rgb(200, 10, 20));
        let file = keep(&red, home.path()).expect("it can be written");
        let written = file.metadata().and_then(|about| about.modified()).expect("it is there");
        assert_eq!(keep(&red, home.path()).expect("it is there"), file);
        assert_eq!(file.metadata().and_then(|about| about.modified()).expect("it is there"), written);
        let blue = ColorImage::filled([3, 2], Color32::from_rgb(0, 10, 220));
        assert_ne!(keep(&blue, home.path()).expect("it can be written"), file);
        let read = image::open(&file).expect("a picture").to_rgb8();
        assert_eq!((read.dimensions(), read.get_pixel(2, 1).0), ((3, 2), [200, 10, 20]));
    }
}

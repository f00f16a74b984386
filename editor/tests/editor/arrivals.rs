//! What comes to a window from outside: files that fall onto it, pictures from the clipboard.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::Event;

use crate::room::Room;

/// A file that falls onto the window.
#[derive(Debug)]
struct Fallen(PathBuf);

impl egui::DroppedFile for Fallen {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

impl Room {
    /// Writes a file beside the workflow, and returns its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, bytes).expect("there is room for a file");
        path
    }

    /// Pastes a picture that lies on the clipboard.
    pub fn paste_picture(&mut self, picture: egui::ColorImage) {
        self.frame([Event::PasteImage(Arc::new(picture))]);
        self.settle();
    }

    /// Lets a file fall where the hand is.
    pub fn drop_file(&mut self, path: &Path) {
        self.harness.input_mut().dropped_files.push(Arc::new(Fallen(path.to_owned())));
        self.frame([]);
        self.settle();
    }
}

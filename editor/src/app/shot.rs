//! A picture of the window itself, for whoever asked for one instead of a window.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use darkroom_core::fault::Fault;
use egui::Context;

use super::{App, Tab};

/// A picture of the window that is wanted.
pub struct Shot {
    path: PathBuf,
    /// Frames in which nothing was under way.
    frames: u32,
    asked: bool,
    image: Arc<Mutex<Option<Arc<egui::ColorImage>>>>,
}

impl Shot {
    /// Asks for one, to be written to a file.
    pub fn new(path: PathBuf) -> Self {
        Self { path, frames: 0, asked: false, image: Arc::default() }
    }
}

impl App {
    /// Takes the picture once nothing is under way, and closes the window.
    pub(super) fn shoot(&mut self, ctx: &Context) {
        let waits = |tab: &Tab| !tab.runs.is_empty() || (tab.outlook.is_none() && tab.faults.is_empty());
        let busy = self.shelf.is_busy() || self.tabs.iter().any(waits);
        let Some(shot) = &mut self.screenshot else { return };
        let image = shot.image.lock().expect("no thread panics while it holds this").take();
        if let Some(picture) = image {
            let [width, height] = picture.size;
            let pixels: Vec<u8> = picture.pixels.iter().flat_map(|pixel| pixel.to_array()).collect();
            let buffer = image::RgbaImage::from_raw(width as u32, height as u32, pixels);
            let saved = buffer.map(|buffer| image::DynamicImage::ImageRgba8(buffer).to_rgb8().save(&shot.path));
            if let Some(Err(error)) = saved {
                let fault = Fault::file(format!("cannot write `{}`: {error}", shot.path.display()));
                *self.ended.lock().expect("no thread panics while it holds this") =
                    Some(fault.hint("name a .png file in a folder that can be written"));
            }
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            return;
        }
        shot.frames = if busy { 0 } else { shot.frames + 1 };
        if shot.frames > 8 && !shot.asked {
            shot.asked = true;
            let place = Arc::clone(&shot.image);
            ctx.request_screenshot(move |image| {
                *place.lock().expect("no thread panics while it holds this") = Some(image);
            });
        }
        ctx.request_repaint();
    }
}

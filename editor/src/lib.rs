//! The visual editor: a canvas on which graphs are built and run.
//!
//! [`document`] is what is edited, without a window; [`session`] plans and runs it; [`canvas`] draws it and feels the
//! hand; [`app`] is the window around. The editor sees the engine's core and a registry of nodes, and no model: fields
//! and sockets follow from the manuals of the nodes.
#![warn(missing_docs)]

pub mod app;
pub mod canvas;
pub mod command;
pub mod document;
pub mod fields;
pub mod habits;
mod icons;
pub mod keymap;
mod layer;
pub mod session;
pub mod status;
pub mod theme;
mod weights;

use darkroom_core::fault::Fault;

pub use app::{App, MakeBackend, Options, Template};

/// Opens the window, and returns when it is closed.
///
/// # Errors
/// A fault if there is no display, it cannot be drawn on, or the picture of it cannot be written.
pub fn open(options: Options, make: MakeBackend) -> Result<(), Fault> {
    let (width, height) = options.size.unwrap_or((1280.0, 800.0));
    let viewport = egui::ViewportBuilder::default()
        .with_title("darkroom")
        .with_app_id("darkroom")
        .with_inner_size([width, height])
        .with_min_inner_size([640.0, 400.0])
        .with_drag_and_drop(true);
    let native = eframe::NativeOptions { viewport, renderer: eframe::Renderer::Glow, ..Default::default() };
    let ended = app::Ended::default();
    let heard = ended.clone();
    let app = move |cc: &eframe::CreationContext<'_>| App::new(cc, options, make).heard_by(&heard);
    let ran = eframe::run_native("darkroom", native, Box::new(|cc| Ok(Box::new(app(cc)))));
    ran.map_err(|error| {
        Fault::file(format!("the window cannot be opened: {error}"))
            .hint("run it where there is a display; without one, `darkroom run` runs the same files")
    })?;
    let fault = ended.lock().expect("no thread panics while it holds this").take();
    fault.map_or(Ok(()), Err)
}

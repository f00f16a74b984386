//! What must hold of the editor: of its documents, and, without a window, under a hand.

mod canvas;
mod desk;
mod documents;
mod fields;
mod gallery;
mod keys;
mod killed;
mod log;
mod memory;
mod palette;
mod panels;
mod past;
mod queue;
mod raster;
mod room;
mod runs;
mod states;
mod wires;

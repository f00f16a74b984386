//! What must hold of the editor: of its documents, and, without a window, under a hand.

mod arrivals;
mod canvas;
mod desk;
mod documents;
mod fields;
mod files;
mod gallery;
mod keys;
mod killed;
mod log;
mod memory;
mod models;
mod nodes;
mod palette;
mod panels;
mod past;
mod queue;
mod raster;
mod room;
mod runs;
mod seeds;
mod stack;
mod states;
mod subgraphs;
mod walk;
mod wires;

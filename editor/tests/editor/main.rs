//! What must hold of the editor: of its documents, and, without a window, under a hand.

mod canvas;
mod desk;
mod documents;
mod fields;
mod keys;
mod killed;
mod palette;
mod panels;
mod raster;
mod room;
mod runs;
mod states;
mod subgraphs;
mod wires;

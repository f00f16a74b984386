//! Every kernel, in every tier that the processor has and `DARKROOM_CPU` allows.

mod edges;
mod everything;
mod mask;
mod memory;
mod random;
mod reference;
mod right;
mod strips;
mod threads;

//! Every kernel, in every tier that the processor has and `DARKROOM_CPU` allows.

mod edges;
mod mask;
mod random;
mod reference;
mod right;

//! Every kernel, in every tier that the processor has and `DARKROOM_CPU` allows.

mod edges;
mod everything;
mod mask;
mod memory;
mod random;
mod reference;
// What is large takes Miri days.
#[cfg(not(miri))]
mod right;
#[cfg(not(miri))]
mod strips;
mod threads;

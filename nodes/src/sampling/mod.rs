//! The way from noise to a latent, as the nodes that walk it share it.

pub mod conditions;
pub mod controls;
pub mod course;
pub mod names;
pub mod savers;
pub mod settings;
pub mod ticks;
pub mod walk;

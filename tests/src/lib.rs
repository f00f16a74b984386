//! What the integration tests, their helper processes and the benches share: the reference data, comparisons, toys.

pub mod archive;
pub mod bench;
pub mod cached;
pub mod made_up;
pub mod reference;
pub mod room;
pub mod savers;
pub mod single;
pub mod soak;
pub mod studio;

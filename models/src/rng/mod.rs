//! Random numbers: torch's generators re-made, so that a seed from elsewhere gives the same picture here.
//!
//! candle's own CPU generator cannot be seeded and its CUDA generator is another one than torch's, so noise is ours.
//! Every generator is a plain value that serialises to a seed and a position, and resumes exactly.

mod brownian;
mod mt19937;
mod philox;
mod seed_sequence;
mod torch_cpu;

pub use brownian::BrownianTree;
pub use mt19937::Mt19937;
pub use philox::Philox;
pub use seed_sequence::SeedSequence;
pub use torch_cpu::TorchCpu;

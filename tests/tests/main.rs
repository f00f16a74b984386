//! The one integration binary: linking candle many times is nobody's joy.

mod craft;
mod engine;
mod faults;
mod graphs;
mod memory;
mod parity;

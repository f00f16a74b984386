//! What memory is counted, and what networks take of it.

mod room;
mod streamed;

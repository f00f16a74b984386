//! What memory is counted, what networks take of it, and models that come and go.

mod models;
mod placing;
mod room;
mod streamed;

//! What must hold of the editor.

mod documents;
mod killed;

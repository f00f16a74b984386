//! Everything that is held against numbers of the reference implementation.

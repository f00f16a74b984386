//! Networks whose weights are read at each use give the bits of those whose weights stay.

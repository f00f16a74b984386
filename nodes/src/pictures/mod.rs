//! Pictures and masks beyond what nodes say of them: files and what they carry, regions, resampling.

pub mod edges;
pub mod mask;
pub mod name_template;
pub mod parameters;
pub mod picture_file;
pub mod pillow;
pub mod region;
pub mod resample;

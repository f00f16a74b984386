//! `load_image`: a picture from a file.

use std::path::{Path, PathBuf};

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::image::Pictures;
use darkroom_core::literal::Literal;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Param;
use darkroom_core::types::{Kind, Type};

use crate::picture_file;

/// A file that a graph reads, named by its content.
#[derive(Debug, Clone)]
pub struct InputFile {
    name: String,
    path: PathBuf,
}

impl InputFile {
    /// Returns where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Param for InputFile {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "the name of a file";
    const OUTSIDE: bool = true;

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        let name = String::parse(literal, files)?;
        let path = files.resolve_file(&name)?;
        Ok(Self { name, path })
    }

    fn literal(&self) -> Literal {
        Literal::from(self.name.as_str())
    }

    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        files.digest(&Self::parse(literal, files)?.path)
    }
}

/// Reads a PNG, JPEG or WebP; of an animation the first picture.
#[derive(Node)]
#[node(id = "load_image", version = 1, category = "Image", lane = "io")]
pub struct LoadImage {
    /// The file, below the workflow's folder, the input folder, or one that was allowed.
    #[param]
    file: InputFile,
}

impl Node for LoadImage {
    type Output = Pictures;

    fn run(self, _: &mut Context<'_>) -> Result<Pictures, Fault> {
        Ok(Pictures::new(vec![picture_file::read(&self.file.path)?]))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let ty = Type::of(Kind::IMAGE).count(Some(1));
        let Some(file) = known.param::<InputFile>("file")? else { return Ok(vec![ty]) };
        let (width, height) = picture_file::size(&file.path)?;
        Ok(vec![ty.size(Some(width), Some(height))])
    }
}

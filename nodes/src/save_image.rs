//! `save_image`: pictures to files.

use std::path::{Path, PathBuf};

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::graph::{self, Graph};
use darkroom_core::image::Pictures;
use darkroom_core::node::Node;
use darkroom_core::types::Kind;
use darkroom_core::value::{Codec, Datum, Made, Record};

use crate::pictures::name_template::{fill, relative_path};
use crate::pictures::parameters::told;
use crate::pictures::picture_file::{Carried, Format, encode, write_new};

/// Saves pictures below the output folder, and never replaces a file. A PNG carries the workflow that made it; every
/// picture says in A1111's words how it was made, where that can be told.
#[derive(Node)]
#[node(id = "save_image", version = 1, category = "Image", lane = "io", effect)]
pub struct SaveImage {
    /// The pictures; each is saved under its own number if there are several.
    #[input]
    image: Pictures,
    /// The file's name without its ending; `/` separates folders. `%node.input%` stands for a literal of the workflow,
    /// `%width%` and `%height%` for the size.
    #[param(default = "darkroom")]
    name: String,
    /// The format.
    #[param(default = Format::Png)]
    format: Format,
    /// Quality of a JPEG.
    #[param(default = 92, range = 1..=100, advanced)]
    quality: u32,
}

impl Node for SaveImage {
    type Output = Saved;

    fn run(self, cx: &mut Context<'_>) -> Result<Saved, Fault> {
        let workflow = graph::read(cx.workflow()).map(|loaded| loaded.graph).unwrap_or_default();
        let mut files = Vec::new();
        for index in 0..self.image.len() {
            cx.check_cancel()?;
            files.push(self.save(index, &workflow, cx)?);
        }
        Ok(Saved { files })
    }
}

impl SaveImage {
    fn save(&self, index: usize, workflow: &Graph, cx: &mut Context<'_>) -> Result<(PathBuf, Fingerprint), Fault> {
        let picture = self.image.iter().nth(index).expect("the index counts the pictures");
        let relative = relative_path(&fill(&self.name, workflow, picture.width(), picture.height())?)?;
        let base = self.base(&relative, cx)?;
        let several = self.image.len() > 1;
        let about = told::Picture { index, count: self.image.len(), width: picture.width(), height: picture.height() };
        let parameters = cx.plan().and_then(|(plan, node)| told(plan, node, about));
        let parameters = parameters.map(|told| told.to_string()).unwrap_or_default();
        let carried = Carried { workflow: cx.workflow(), parameters: &parameters };
        let bytes = encode(picture, self.format, self.quality as u8, carried)?;
        let path = write_new(&bytes, |attempt| {
            let mut name = base.clone().into_os_string();
            if several {
                name.push(format!("_{index:02}"));
            }
            if attempt > 0 {
                name.push(format!("-{}", attempt + 1));
            }
            name.push(format!(".{}", self.format.ending()));
            name.into()
        })?;
        cx.wrote(&path);
        Ok((path, Fingerprint::of_bytes(&bytes)))
    }

    /// Makes the folder, and makes sure that no link leads out of the output folder.
    fn base(&self, relative: &Path, cx: &Context<'_>) -> Result<PathBuf, Fault> {
        let output = cx.files().output();
        let outside = || {
            Fault::file(format!("`{}` leads out of the output folder `{}`", relative.display(), output.display()))
                .hint("give a name, or `folder/name`")
        };
        let base = cx.files().below_output(relative).ok_or_else(outside)?;
        let folder = base.parent().unwrap_or(output);
        std::fs::create_dir_all(folder).map_err(|error| Fault::io("make the folder", folder, &error))?;
        let real = |path: &Path| path.canonicalize().map_err(|error| Fault::io("find", path, &error));
        if real(folder)?.starts_with(real(output)?) { Ok(base) } else { Err(outside()) }
    }
}

/// The files that were saved.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    files: Vec<(PathBuf, Fingerprint)>,
}

impl Saved {
    /// Walks over the paths.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|(path, _)| path.as_path())
    }
}

impl Datum for Saved {
    const KIND: Kind = Kind("files");

    fn bytes(&self) -> u64 {
        self.files.iter().map(|(path, _)| path.as_os_str().len() as u64 + 16).sum()
    }

    fn codec() -> Option<Codec> {
        Some(Codec::new(
            |value| {
                let files = &value.downcast::<Self>()?.files;
                let mut record = Record::default();
                for (index, (path, digest)) in files.iter().enumerate() {
                    // A path that is no text cannot be kept; its picture is then saved again.
                    record.words.insert(format!("{index:05}.path"), path.to_str()?.to_owned());
                    record.words.insert(format!("{index:05}.digest"), digest.to_string());
                }
                Some(record)
            },
            |record| {
                let file = |index: usize| {
                    let path = record.words.get(&format!("{index:05}.path"))?;
                    Some((
                        PathBuf::from(path),
                        Fingerprint::from_hex(record.words.get(&format!("{index:05}.digest"))?)?,
                    ))
                };
                let files: Vec<_> = (0..).map_while(file).collect();
                (!files.is_empty()).then(|| Made::new(Self { files }))
            },
        ))
    }

    fn holds(&self, files: &Files) -> Result<(), String> {
        for (path, digest) in &self.files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match files.digest(path) {
                Ok(now) if now == *digest => {}
                Ok(_) => return Err(format!("`{name}` was changed")),
                Err(_) => return Err(format!("`{name}` is gone")),
            }
        }
        Ok(())
    }

    fn written(&self) -> Vec<PathBuf> {
        self.paths().map(Path::to_owned).collect()
    }
}

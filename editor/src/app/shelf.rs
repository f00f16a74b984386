//! The shelf: pictures of files and what they tell of their making, read on a thread of its own. Textures stay within a
//! budget of bytes; those looked at longest ago go first.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::SystemTime;

use darkroom_core::fault::Fault;
use darkroom_core::graph::{self, Graph};
use egui::{ColorImage, Context, TextureOptions};

use crate::session::{Sort, WorkflowOf, sort_by_name};
use crate::status::Thumb;

/// Bytes of all textures together.
const BUDGET: u64 = 192 << 20;
/// So many jobs wait; older ones are asked for again by whoever still looks.
const WAITING: usize = 400;
/// So many pictures of a folder are listed, the newest first.
const LISTED: usize = 20_000;
/// So deep below the output folder pictures are looked for.
const DEPTH: usize = 6;
/// Where deleted pictures lie, beside the others.
pub const BIN: &str = ".trash";

/// How large a picture is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// For the gallery.
    Small,
    /// For a node's card.
    Card,
    /// To be looked at large.
    Whole,
}

impl Size {
    /// The longest edge in pixels.
    fn edge(self) -> u32 {
        match self {
            Self::Small => 384,
            Self::Card => 1024,
            Self::Whole => 4096,
        }
    }
}

/// What a picture's file tells.
#[derive(Debug, Clone)]
pub struct About {
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Bytes of the file.
    pub bytes: u64,
    /// When it was written.
    pub at: Option<SystemTime>,
    /// The workflow that made it, if it carries one.
    pub graph: Option<Arc<Graph>>,
}

/// A picture in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// When it was written.
    pub at: SystemTime,
}

/// What was read.
pub enum Read {
    /// A picture, as a texture.
    Picture(PathBuf, Size, Result<Thumb, Fault>),
    /// A picture's own pixels, for the clipboard.
    Pixels(PathBuf, Result<ColorImage, Fault>),
    /// What a file tells, or what a folder holds: lists hang on it.
    News,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Job {
    Picture(PathBuf, Size),
    Pixels(PathBuf),
    About(PathBuf),
    List(PathBuf),
}

enum Done {
    Picture(PathBuf, Size, Result<(ColorImage, (u32, u32)), Fault>),
    Pixels(PathBuf, Result<ColorImage, Fault>),
    About(PathBuf, Option<About>),
    Listing(Vec<Found>),
}

struct Kept {
    thumb: Thumb,
    bytes: u64,
    used: u64,
}

/// Pictures that were read, and the thread that reads them.
#[derive(Default)]
pub struct Shelf {
    worker: Option<Worker>,
    asked: HashSet<Job>,
    textures: HashMap<(PathBuf, Size), Kept>,
    faults: HashMap<PathBuf, Fault>,
    abouts: HashMap<PathBuf, Option<Arc<About>>>,
    listing: Option<Arc<Vec<Found>>>,
    /// Counts what changed, for those who keep lists.
    generation: u64,
    clock: u64,
}

struct Worker {
    jobs: Arc<Jobs>,
    hear: Receiver<Done>,
}

#[derive(Default)]
struct Jobs {
    /// What waits, the next one last; none once nobody asks any more.
    waiting: Mutex<Option<Vec<Job>>>,
    came: Condvar,
}

impl Drop for Worker {
    fn drop(&mut self) {
        *locked(&self.jobs.waiting) = None;
        self.jobs.came.notify_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it holds this")
}

impl Shelf {
    /// Begins to read. What pictures tell of their making is read by `workflow_of`.
    pub fn begin(&mut self, ctx: &Context, workflow_of: &Arc<WorkflowOf>) {
        if self.worker.is_some() {
            return;
        }
        let (tell, hear) = channel();
        let jobs = Arc::new(Jobs { waiting: Mutex::new(Some(Vec::new())), came: Condvar::new() });
        let (theirs, workflow_of, ctx) = (Arc::clone(&jobs), Arc::clone(workflow_of), ctx.clone());
        let thread = std::thread::Builder::new().name("pictures".to_owned());
        let work = move || {
            theirs.work(&*workflow_of, |done| {
                // Once the window is gone nobody hears it.
                let _ = tell.send(done);
                ctx.request_repaint();
            });
        };
        if thread.spawn(work).is_ok() {
            self.worker = Some(Worker { jobs, hear });
        }
    }

    /// Tells whether something is still read.
    pub fn is_busy(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Returns a number that changes with what is known.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn ask(&mut self, job: Job) {
        let Some(worker) = &self.worker else { return };
        if self.asked.contains(&job) {
            return;
        }
        let mut waiting = locked(&worker.jobs.waiting);
        if let Some(waiting) = &mut *waiting {
            waiting.push(job.clone());
            if waiting.len() > WAITING {
                self.asked.remove(&waiting.remove(0));
            }
        }
        self.asked.insert(job);
        worker.jobs.came.notify_one();
    }

    /// Returns a picture, and asks for it if it is not there. A smaller one may stand in for it meanwhile.
    pub fn picture(&mut self, path: &Path, size: Size) -> Option<Thumb> {
        self.clock += 1;
        if let Some(kept) = self.textures.get_mut(&(path.to_owned(), size)) {
            kept.used = self.clock;
            return Some(kept.thumb.clone());
        }
        if !self.faults.contains_key(path) {
            self.ask(Job::Picture(path.to_owned(), size));
        }
        let other = |size| self.textures.get(&(path.to_owned(), size)).map(|kept| kept.thumb.clone());
        [Size::Whole, Size::Card, Size::Small].into_iter().find_map(other)
    }

    /// Returns why a picture cannot be read.
    pub fn fault(&self, path: &Path) -> Option<&Fault> {
        self.faults.get(path)
    }

    /// Asks for a picture's own pixels.
    pub fn pixels(&mut self, path: &Path) {
        self.ask(Job::Pixels(path.to_owned()));
    }

    /// Returns what a file tells, and asks for it if nobody knows.
    pub fn about(&mut self, path: &Path) -> Option<Arc<About>> {
        match self.abouts.get(path) {
            Some(about) => about.clone(),
            None => {
                self.ask(Job::About(path.to_owned()));
                None
            }
        }
    }

    /// Returns the pictures of a folder, the newest first, and asks for them if nobody has.
    pub fn listing(&mut self, folder: &Path) -> Option<Arc<Vec<Found>>> {
        if self.listing.is_none() {
            self.ask(Job::List(folder.to_owned()));
        }
        self.listing.clone()
    }

    /// Lets the folder be looked through again; until then what is known stays.
    pub fn look_again(&mut self, folder: &Path) {
        if self.listing.is_some() {
            self.ask(Job::List(folder.to_owned()));
        }
    }

    /// Forgets a picture whose file is another, or no more.
    pub fn forget(&mut self, path: &Path) {
        self.generation += 1;
        self.faults.remove(path);
        self.abouts.remove(path);
        self.textures.retain(|(known, _), _| known != path);
        if let Some(listing) = &mut self.listing {
            Arc::make_mut(listing).retain(|found| found.path != path);
        }
    }

    /// Takes in what was read.
    pub fn take(&mut self, ctx: &Context) -> Vec<Read> {
        let Some(worker) = &self.worker else { return Vec::new() };
        let done: Vec<_> = worker.hear.try_iter().collect();
        done.into_iter().map(|done| self.took(ctx, done)).collect()
    }

    fn took(&mut self, ctx: &Context, done: Done) -> Read {
        self.generation += 1;
        match done {
            Done::Picture(path, size, read) => {
                self.asked.remove(&Job::Picture(path.clone(), size));
                let thumb = match read {
                    Ok((image, whole)) => Ok(self.keep(ctx, &path, (size, whole), image)),
                    Err(fault) => {
                        self.faults.insert(path.clone(), fault.clone());
                        Err(fault)
                    }
                };
                Read::Picture(path, size, thumb)
            }
            Done::Pixels(path, image) => {
                self.asked.remove(&Job::Pixels(path.clone()));
                Read::Pixels(path, image)
            }
            Done::About(path, about) => {
                self.asked.remove(&Job::About(path.clone()));
                self.abouts.insert(path, about.map(Arc::new));
                Read::News
            }
            Done::Listing(found) => {
                self.asked.retain(|job| !matches!(job, Job::List(_)));
                self.listing = Some(Arc::new(found));
                Read::News
            }
        }
    }

    fn keep(&mut self, ctx: &Context, path: &Path, (size, whole): (Size, (u32, u32)), image: ColorImage) -> Thumb {
        let bytes = 4 * (image.width() * image.height()) as u64;
        let texture = ctx.load_texture(path.to_string_lossy(), image, TextureOptions::LINEAR);
        let thumb = Thumb { texture, size: whole };
        self.clock += 1;
        self.textures.insert((path.to_owned(), size), Kept { thumb: thumb.clone(), bytes, used: self.clock });
        while self.textures.len() > 1 && self.textures.values().map(|kept| kept.bytes).sum::<u64>() > BUDGET {
            let oldest = self.textures.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone());
            oldest.map(|key| self.textures.remove(&key));
        }
        thumb
    }
}

impl Jobs {
    fn work(&self, workflow_of: &WorkflowOf, tell: impl Fn(Done)) {
        loop {
            let job = {
                let mut waiting = locked(&self.waiting);
                loop {
                    let Some(jobs) = waiting.as_mut() else { return };
                    match jobs.pop() {
                        Some(job) => break job,
                        None => waiting = self.came.wait(waiting).expect("no thread panics while it holds this"),
                    }
                }
            };
            tell(match job {
                Job::Picture(path, size) => {
                    let read = read(&path, Some(size.edge()));
                    Done::Picture(path, size, read)
                }
                Job::Pixels(path) => {
                    let image = read(&path, None).map(|(image, _)| image);
                    Done::Pixels(path, image)
                }
                Job::About(path) => {
                    let about = about(&path, workflow_of);
                    Done::About(path, about)
                }
                Job::List(folder) => Done::Listing(list(&folder)),
            });
        }
    }
}

fn about(path: &Path, workflow_of: &WorkflowOf) -> Option<About> {
    let size = image::ImageReader::open(path).ok()?.with_guessed_format().ok()?.into_dimensions().ok()?;
    let file = fs::metadata(path).ok()?;
    let graph = workflow_of(path).ok().and_then(|(text, _)| graph::read(&text).ok()).map(|read| Arc::new(read.graph));
    Some(About { size, bytes: file.len(), at: file.modified().ok(), graph })
}

/// Reads a picture, no larger than an edge, and tells how large it is itself.
fn read(path: &Path, edge: Option<u32>) -> Result<(ColorImage, (u32, u32)), Fault> {
    let fail = |error: image::ImageError| Fault::file(format!("cannot read `{}`: {error}", path.display()));
    let reader = image::ImageReader::open(path).map_err(|error| Fault::io("read", path, &error))?;
    let reader = reader.with_guessed_format().map_err(|error| Fault::io("read", path, &error))?;
    let picture = reader.decode().map_err(fail)?;
    let whole = (picture.width(), picture.height());
    let picture = match edge {
        Some(edge) if whole.0.max(whole.1) > edge => picture.thumbnail(edge, edge),
        _ => picture,
    };
    let pixels = picture.to_rgba8();
    let edges = [pixels.width() as usize, pixels.height() as usize];
    Ok((ColorImage::from_rgba_unmultiplied(edges, pixels.as_raw()), whole))
}

/// Lists the pictures below a folder, the newest first; hidden folders are left out, and what cannot be read too.
fn list(folder: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (Ok(kind), name) = (entry.file_type(), entry.file_name()) else { continue };
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let path = entry.path();
            if kind.is_dir() && depth < DEPTH {
                open.push((path, depth + 1));
            } else if kind.is_file() && sort_by_name(&path) == Sort::Picture {
                let at = entry.metadata().and_then(|about| about.modified());
                found.extend(at.map(|at| Found { path, at }));
            }
        }
    }
    found.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.path.cmp(&b.path)));
    found.truncate(LISTED);
    found
}

/// Moves a picture into the bin beside it, where nothing is replaced.
///
/// # Errors
/// A fault of the files; the picture stays where it is.
pub fn to_bin(path: &Path) -> Result<PathBuf, Fault> {
    let folder = path.parent().unwrap_or(Path::new(".")).join(BIN);
    fs::create_dir_all(&folder).map_err(|error| Fault::io("make the folder", &folder, &error))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    let name = |number: u32| match number {
        1 => folder.join(format!("{stem}{ending}")),
        number => folder.join(format!("{stem}-{number}{ending}")),
    };
    let free = (1..).map(name).find(|path| !path.exists()).expect("numbers do not end");
    fs::rename(path, &free).map_err(|error| Fault::io("move", path, &error))?;
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_with_the_newest_first_and_without_its_bin() {
        let home = tempfile::tempdir().expect("a folder");
        let path = |name: &str| home.path().join(name);
        fs::create_dir(path("deep")).expect("a folder");
        for (name, seconds) in [("a.png", 10), ("deep/b.webp", 30), ("c.txt", 40), ("d.jpg", 20)] {
            let file = fs::File::create(path(name)).expect("writable");
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).expect("a time");
        }
        assert_eq!(to_bin(&path("d.jpg")), Ok(path(".trash/d.jpg")));
        let names: Vec<_> = list(home.path()).into_iter().map(|found| found.path).collect();
        assert_eq!(names, [path("deep/b.webp"), path("a.png")]);
    }

    #[test]
    fn two_pictures_of_one_name_lie_side_by_side_in_the_bin() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("a.png");
        for content in ["one", "two"] {
            fs::write(&path, content).expect("writable");
            to_bin(&path).expect("it is moved");
        }
        let held = |name: &str| fs::read_to_string(home.path().join(BIN).join(name)).expect("it is kept");
        assert_eq!((held("a.png"), held("a-2.png")), ("one".to_owned(), "two".to_owned()));
        assert!(to_bin(&path).is_err());
    }
}

//! The journal: what changed and is not saved lies in recovery files, so that a crash loses two seconds at most.
//!
//! Each window has a name of its own and a file `NAME.lock` that it holds as long as it lives. Its documents lie beside
//! it as `NAME-NUMBER.ron`: workflow files whose first line is a comment that tells where the document belongs. A user's
//! file is never touched. At start a window takes over what dead windows left, by renaming, so that every text lies in
//! one recovery file at any time. A thread of its own writes, aside and renamed: the hand never waits for the disk.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use darkroom_core::fault::Fault;
use darkroom_core::files::write_aside;
use serde::{Deserialize, Serialize};

use super::DocumentId;
use crate::document::{Document, Draft, Sheet};

/// How often a document is written at most.
pub const PAUSE: Duration = Duration::from_secs(2);
/// How the first line of a recovery file begins.
const HEAD: &str = "// recovered: ";

/// The recovery files of a window.
pub struct Journal {
    folder: PathBuf,
    name: String,
    known: HashMap<DocumentId, Known>,
    work: Option<Sender<Work>>,
    writer: Option<JoinHandle<()>>,
    fault: Arc<Mutex<Option<Fault>>>,
    /// Held while the window lives, so that no other takes its files over.
    _held: File,
}

/// What is known of a document's recovery file.
struct Known {
    sheet: Arc<Sheet>,
    at: Instant,
    file: PathBuf,
}

/// What the writer does next.
enum Work {
    Write { file: PathBuf, home: Option<PathBuf>, draft: Draft },
    Remove(PathBuf),
}

/// A document that an earlier window left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The file that it belongs to, if it had one.
    pub home: Option<PathBuf>,
    /// Its text: a workflow.
    pub text: String,
    /// The recovery file.
    pub file: PathBuf,
}

/// What the first line of a recovery file tells.
#[derive(Serialize, Deserialize)]
struct Head {
    home: Option<PathBuf>,
}

impl Journal {
    /// Begins a journal in a folder, and takes over what windows left that are no more.
    ///
    /// # Errors
    /// A fault of the folder: nothing could be recovered then.
    pub fn begin(folder: &Path) -> Result<(Self, Vec<Left>), Fault> {
        fs::create_dir_all(folder).map_err(|error| Fault::io("make the folder", folder, &error))?;
        let _gate = held(&folder.join("start.lock"))?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let name = format!("{}-{}", since.as_micros(), std::process::id());
        let held = held(&folder.join(format!("{name}.lock")))?;
        let left = take_over(folder, &name)?;
        let (work, todo) = channel();
        let fault = Arc::default();
        let writer = {
            let fault = Arc::clone(&fault);
            let thread = std::thread::Builder::new().name("journal".to_owned());
            thread.spawn(move || write(&todo, &fault)).map_err(|error| Fault::io("watch over", folder, &error))?
        };
        let folder = folder.to_owned();
        let (work, writer) = (Some(work), Some(writer));
        Ok((Self { folder, name, known: HashMap::new(), work, writer, fault, _held: held }, left))
    }

    /// Takes note of a document as it is now; returns after which time it wants to see it again.
    pub fn keep(&mut self, id: DocumentId, document: &Document, now: Instant) -> Option<Duration> {
        let sheet = document.sheet();
        if let Some(known) = self.known.get(&id)
            && Arc::ptr_eq(&known.sheet, sheet)
            && document.is_changed()
        {
            return None;
        }
        if !document.is_changed() {
            self.forget(id);
            return None;
        }
        let known = self.known.get(&id);
        if let Some(rest) = known.and_then(|known| PAUSE.checked_sub(now.saturating_duration_since(known.at)))
            && !rest.is_zero()
        {
            return Some(rest);
        }
        let file = match known {
            Some(known) => known.file.clone(),
            None => self.folder.join(format!("{}-{}.ron", self.name, id.0)),
        };
        self.known.insert(id, Known { sheet: Arc::clone(sheet), at: now, file: file.clone() });
        self.send(Work::Write { file, home: document.path().map(Path::to_owned), draft: document.draft() });
        None
    }

    /// Takes note that a document is one that was left: its recovery file is the one that is there.
    pub fn adopt(&mut self, id: DocumentId, document: &Document, left: &Left, now: Instant) {
        let known = Known { sheet: Arc::clone(document.sheet()), at: now, file: left.file.clone() };
        self.known.insert(id, known);
    }

    /// Removes what is kept of a document: it is saved, or closed on purpose.
    pub fn forget(&mut self, id: DocumentId) {
        if let Some(known) = self.known.remove(&id) {
            self.send(Work::Remove(known.file));
        }
    }

    /// Returns why a recovery file could not be written, once.
    pub fn fault(&mut self) -> Option<Fault> {
        self.fault.lock().expect("no thread panics while it holds this").take()
    }

    fn send(&self, work: Work) {
        if let Some(writer) = &self.work {
            // If the writer is gone there was a fault, which was told.
            let _ = writer.send(work);
        }
    }
}

/// Ends the journal once everything is written. What is kept stays, unless there is nothing.
impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.work.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        if self.known.is_empty() {
            let _ = fs::remove_file(self.folder.join(format!("{}.lock", self.name)));
        }
    }
}

/// Opens a file and waits until nobody else holds it.
fn held(path: &Path) -> Result<File, Fault> {
    let fail = |error: &std::io::Error| Fault::io("write", path, error);
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(|error| fail(&error))?;
    match file.lock() {
        // A file system without locks serves one window as well.
        Err(error) if error.kind() != std::io::ErrorKind::Unsupported => Err(fail(&error)),
        _ => Ok(file),
    }
}

/// Tells whether the window of a lock is no more.
fn is_dead(lock: &Path) -> bool {
    match File::options().write(true).open(lock) {
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        Ok(file) => !matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
    }
}

/// Gives the files of dead windows our name, the oldest first, and reads them.
fn take_over(folder: &Path, name: &str) -> Result<Vec<Left>, Fault> {
    let fail = |error: &std::io::Error| Fault::io("read", folder, error);
    let entries = fs::read_dir(folder).map_err(|error| fail(&error))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut left = Vec::new();
    for file in &files {
        let Some(window) = window_of(file).filter(|window| *window != name) else { continue };
        if !is_dead(&folder.join(format!("{window}.lock"))) {
            continue;
        }
        let ours = folder.join(format!("{name}-left{}.ron", left.len()));
        // What cannot be read or taken stays for somebody who can.
        let Ok(text) = fs::read_to_string(file) else { continue };
        if fs::rename(file, &ours).is_ok() {
            left.push(Left::of(&text, ours));
        }
    }
    for file in &files {
        if half_of(file).is_some_and(|window| window != name && is_dead(&folder.join(format!("{window}.lock")))) {
            let _ = fs::remove_file(file);
        }
    }
    for lock in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "lock")) {
        let own = lock.file_stem().is_some_and(|stem| stem == name || stem == "start");
        if !own && is_dead(lock) {
            let _ = fs::remove_file(lock);
        }
    }
    Ok(left)
}

/// Returns the window that a recovery file belongs to, by the file's name: `WINDOW-NUMBER.ron`.
fn window_of(file: &Path) -> Option<&str> {
    let (window, _) = file.file_name()?.to_str()?.strip_suffix(".ron")?.rsplit_once('-')?;
    Some(window)
}

/// Returns the window that was killed while it wrote this file: `.WINDOW-NUMBER.ron.….tmp`.
fn half_of(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(".tmp")?;
    let (window, _) = name.split_once(".ron.")?.0.rsplit_once('-')?;
    Some(window)
}

impl Left {
    /// Tells whether the document's file holds the same: the window ended between the save and the next breath.
    pub fn is_saved(&self) -> bool {
        self.home.as_ref().is_some_and(|home| fs::read(home).is_ok_and(|bytes| bytes == self.text.as_bytes()))
    }

    fn of(text: &str, file: PathBuf) -> Self {
        let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
        let head = head.strip_prefix(HEAD).and_then(|head| ron::from_str::<Head>(head.trim()).ok());
        match head {
            Some(Head { home }) => Self { home, text: rest.to_owned(), file },
            None => Self { home: None, text: text.to_owned(), file },
        }
    }
}

fn write(todo: &Receiver<Work>, fault: &Mutex<Option<Fault>>) {
    while let Ok(work) = todo.recv() {
        let done = match work {
            Work::Write { file, home, draft } => write_aside(&file, text_of(home, &draft).as_bytes()),
            Work::Remove(file) => {
                // What was never written need not go.
                let _ = fs::remove_file(file);
                Ok(())
            }
        };
        if let Err(new) = done {
            *fault.lock().expect("no thread panics while it holds this") = Some(new);
        }
    }
}

fn text_of(home: Option<PathBuf>, draft: &Draft) -> String {
    // A path that is no text cannot be told; the document is kept without it.
    let head = ron::to_string(&Head { home }).or_else(|_| ron::to_string(&Head { home: None }));
    format!("{HEAD}{}\n{}", head.unwrap_or_default(), draft.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Edit, Frame, FrameId};

    fn changed(document: &mut Document, title: &str) {
        let id = FrameId(document.number());
        document.edit(Edit::Frame(id, Frame { title: title.to_owned(), ..Frame::default() })).expect("it can be made");
    }

    fn kept(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("it is there");
        let files = entries.map(|entry| entry.expect("readable").path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "ron")).collect()
    }

    #[test]
    fn what_a_dead_window_left_is_taken_over_and_stays_on_disk() {
        let home = tempfile::tempdir().expect("a folder");
        let mut document = Document::default();
        changed(&mut document, "a note");
        {
            let (mut journal, left) = Journal::begin(home.path()).expect("a folder");
            assert!(left.is_empty());
            assert_eq!(journal.keep(DocumentId(1), &document, Instant::now()), None);
        }
        for _ in 0..2 {
            let (_journal, left) = Journal::begin(home.path()).expect("a folder");
            assert_eq!(left.len(), 1);
            assert_eq!(left[0].text, document.draft().text());
            assert_eq!(kept(home.path()), [left[0].file.clone()]);
            // It was not adopted: the next window finds it again.
        }
    }

    #[test]
    fn a_living_window_keeps_its_files() {
        let home = tempfile::tempdir().expect("a folder");
        let mut document = Document::default();
        changed(&mut document, "a note");
        let (mut journal, _) = Journal::begin(home.path()).expect("a folder");
        journal.keep(DocumentId(1), &document, Instant::now());
        let (other, left) = Journal::begin(home.path()).expect("a folder");
        assert_eq!(left, []);
        drop((journal, other));
        assert_eq!(Journal::begin(home.path()).expect("a folder").1.len(), 1);
    }

    #[test]
    fn it_writes_every_two_seconds_at_most_and_only_what_changed() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut journal, _) = Journal::begin(home.path()).expect("a folder");
        let (mut document, id, start) = (Document::default(), DocumentId(1), Instant::now());
        assert_eq!(journal.keep(id, &document, start), None);
        changed(&mut document, "one");
        assert_eq!(journal.keep(id, &document, start), None);
        let written = Arc::clone(&journal.known[&id].sheet);
        assert_eq!(journal.keep(id, &document, start + PAUSE), None);
        assert_eq!(journal.known[&id].at, start, "it is not written anew");
        changed(&mut document, "two");
        assert_eq!(journal.keep(id, &document, start + PAUSE / 4), Some(PAUSE * 3 / 4));
        assert!(Arc::ptr_eq(&journal.known[&id].sheet, &written));
        assert_eq!(journal.keep(id, &document, start + PAUSE), None);
        assert!(Arc::ptr_eq(&journal.known[&id].sheet, document.sheet()));
    }

    #[test]
    fn what_is_saved_or_undone_leaves_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let (state, file) = (home.path().join("state"), home.path().join("a.ron"));
        let (mut journal, _) = Journal::begin(&state).expect("a folder");
        let (mut document, now) = (Document::default(), Instant::now());
        for number in 0..2 {
            changed(&mut document, "one");
            journal.keep(DocumentId(number), &document, now);
            match number {
                0 => document.save(&file).expect("it can be written"),
                _ => drop(document.undo()),
            }
            journal.keep(DocumentId(number), &document, now);
        }
        drop(journal);
        assert_eq!(kept(&state), Vec::<PathBuf>::new());
        assert_eq!(fs::read_dir(&state).expect("it is there").count(), 1, "only the lock of the start");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_and_loses_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut journal, _) = Journal::begin(&home.path().join("state")).expect("a folder");
        // A folder lies where the recovery file should.
        fs::create_dir_all(journal.folder.join(format!("{}-1.ron", journal.name))).expect("a folder");
        let mut document = Document::default();
        changed(&mut document, "one");
        journal.keep(DocumentId(1), &document, Instant::now());
        drop(journal.work.take());
        journal.writer.take().expect("it works").join().expect("it does not panic");
        assert!(journal.fault().is_some() && journal.fault().is_none());
    }

    #[test]
    fn the_original_path_is_remembered() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("of \"mine\"\n.ron");
        let mut document = Document::default();
        changed(&mut document, "one");
        let left = Left::of(&text_of(Some(file.clone()), &document.draft()), PathBuf::new());
        assert_eq!(left.home, Some(file));
        assert_eq!(left.text, document.draft().text());
    }
}

//! How fast a disk is read, measured on a file that is there, or on one that is written for it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes that are read at once: enough that the way to the disk costs little.
const PIECE: usize = 4 << 20;

/// How far a measurement goes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes that are read at most.
    pub bytes: u64,
    /// Time that passes at most, give or take a piece.
    pub time: Duration,
    /// Bytes of a file that is written where none is there.
    pub scratch: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 256 << 20, time: Duration::from_secs(2), scratch: 64 << 20 }
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    /// Bytes that were read.
    pub bytes: u64,
    /// The time that it took.
    pub time: Duration,
    /// The file that was read; `None` if it was written for this.
    pub file: Option<PathBuf>,
}

impl Speed {
    /// Returns bytes a second.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// Reads the beginning of a file from the disk: what memory keeps of it is let go first.
///
/// # Errors
/// What the system says.
pub fn of_file(path: &Path, limits: &Limits) -> io::Result<Speed> {
    let file = File::open(path)?;
    let (bytes, time) = read(&file, limits)?;
    Ok(Speed { bytes, time, file: Some(path.to_owned()) })
}

/// Writes a file into a folder that is there, reads it back, and removes it.
///
/// # Errors
/// What the system says.
pub fn of_folder(folder: &Path, limits: &Limits) -> io::Result<Speed> {
    let path = folder.join(format!(".darkroom-speed-{}", std::process::id()));
    let measured = write(&path, limits.scratch).and_then(|()| of_file(&path, limits));
    // One that could not be made cannot be removed either; the first fault tells.
    let removed = fs::remove_file(&path);
    let speed = measured?;
    removed?;
    Ok(Speed { file: None, ..speed })
}

/// Writes bytes that no file system packs: each word follows from the last (xorshift, G. Marsaglia 2003).
fn write(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let (mut word, mut left) = (0x9E37_79B9_7F4A_7C15_u64, bytes);
    let mut piece = vec![0; PIECE];
    while left > 0 {
        for place in piece.chunks_exact_mut(8) {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            place.copy_from_slice(&word.to_le_bytes());
        }
        let count = left.min(PIECE as u64);
        file.write_all(&piece[..count as usize])?;
        left -= count;
    }
    // What is not on the disk yet cannot be let go.
    file.sync_all()
}

fn read(mut file: &File, limits: &Limits) -> io::Result<(u64, Duration)> {
    let whole = file.metadata()?.len();
    forget(file)?;
    let (mut piece, mut done, began) = (vec![0; PIECE], 0, Instant::now());
    while done < whole.min(limits.bytes) && (done == 0 || began.elapsed() < limits.time) {
        let want = (whole.min(limits.bytes) - done).min(PIECE as u64);
        match file.read(&mut piece[..want as usize])? {
            0 => break,
            count => done += count as u64,
        }
    }
    Ok((done, began.elapsed()))
}

/// Lets go of what memory keeps of a file, so that it comes from the disk. What another process has mapped stays.
#[cfg(target_os = "linux")]
fn forget(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

/// Other systems keep what they keep: the speed may be that of memory.
#[cfg(not(target_os = "linux"))]
fn forget(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(bytes: u64) -> Limits {
        Limits { bytes, time: Duration::from_secs(60), scratch: 3 * PIECE as u64 / 2 }
    }

    #[test]
    fn no_more_is_read_than_is_allowed() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("model");
        fs::write(&path, vec![1; 5000]).expect("written");
        let read = |bytes| of_file(&path, &limits(bytes)).expect("readable").bytes;
        assert_eq!((read(3000), read(9000)), (3000, 5000));
        let hurried = Limits { time: Duration::ZERO, ..limits(1 << 30) };
        assert_eq!(of_folder(home.path(), &hurried).expect("readable").bytes, PIECE as u64, "one piece is read anyway");
    }

    #[test]
    fn a_file_that_is_written_for_it_leaves_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let speed = of_folder(home.path(), &limits(1 << 30)).expect("measured");
        assert_eq!((speed.bytes, speed.file), (3 * PIECE as u64 / 2, None));
        assert_eq!(fs::read_dir(home.path()).expect("readable").count(), 0);
        assert!(of_folder(&home.path().join("none"), &limits(1)).is_err());
    }

    #[test]
    fn a_rate_is_bytes_a_second() {
        let speed = Speed { bytes: 300, time: Duration::from_millis(1500), file: None };
        assert_eq!(speed.rate(), 200.0);
    }
}

//! The log of the last session: what was asked, what happened and when, a line each. It can be sent along with a report
//! of a fault: secrets have been taken out before a line arrives here.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use darkroom_core::fault::Fault;
use darkroom_core::files::next_number;

/// A log under way.
#[derive(Debug)]
pub struct Log {
    file: File,
    began: Instant,
}

impl Log {
    /// Begins the log in place of the last one. Of two sessions at once each writes to its own file, and the later one
    /// has the name.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn begin(path: &Path) -> Result<Self, Fault> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| Fault::io("make the folder", folder, &error))?;
        let aside = folder.join(format!(".session.{}-{}.tmp", std::process::id(), next_number()));
        let file = File::create_new(&aside).and_then(|file| fs::rename(&aside, path).map(|()| file));
        let file = file.map_err(|error| Fault::io("write", path, &error))?;
        let mut log = Self { file, began: Instant::now() };
        log.line(&format!("darkroom {} on {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS));
        log.line(&format!("began {}", now()));
        Ok(log)
    }

    /// Writes a line. A log that cannot be written stops nobody.
    pub fn line(&mut self, text: &str) {
        let _ = writeln!(self.file, "{:>9.3}  {text}", self.began.elapsed().as_secs_f64());
    }
}

/// Returns the time as `2026-02-03 04:05:06 UTC`.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Returns year, month and day of a day counted from 1 January 1970.
fn date(day: u64) -> (u64, u64, u64) {
    // The calendar repeats every 400 years of 146097 days; years that begin in March end with their leap day
    // (H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_454), (2026, 1, 1));
        assert_eq!(date(47_540), (2100, 2, 28));
        assert_eq!(date(47_541), (2100, 3, 1));
    }
}

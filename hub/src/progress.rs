//! Who watches a pull: what they are told, and how they stop it. Speed and time left are worked out here alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Watches a pull from any thread, and may stop it.
pub trait Watch: Sync {
    /// Hears what happens.
    fn see(&self, event: &Event<'_>);

    /// Tells whether the pull should stop; asked at least every 100 ms.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Watch for Nobody {
    fn see(&self, _: &Event<'_>) {}
}

/// What happens in a pull.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'e> {
    /// It is known what will be fetched.
    Planned {
        /// Files that the cache lacks.
        files: usize,
        /// Their bytes, less those that an earlier pull left.
        bytes: u64,
    },
    /// Another process fetches this file; it is waited for.
    Waiting {
        /// The file.
        file: &'e str,
    },
    /// A file is under way, or goes on.
    Progress {
        /// The file.
        file: &'e str,
        /// Bytes of it that are here.
        done: u64,
        /// Its size in bytes.
        of: u64,
        /// The pull as a whole.
        pace: Pace,
    },
    /// Something failed, and will be tried again.
    Retrying {
        /// The file, or what was asked for.
        file: &'e str,
        /// What happened.
        why: &'e str,
        /// When.
        wait: Duration,
    },
    /// The hub cannot be reached, and all that was asked for is in the cache: the commit that it last named is used.
    Unreachable {
        /// What happened.
        why: &'e str,
        /// The commit.
        commit: &'e str,
    },
    /// All bytes of a file are here; their hash is worked out.
    Verifying {
        /// The file.
        file: &'e str,
    },
    /// A file is in the cache.
    Finished {
        /// The file.
        file: &'e str,
        /// Its size in bytes.
        bytes: u64,
    },
}

/// How a pull comes along.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Bytes that are here, of all files.
    pub done: u64,
    /// Bytes of all files.
    pub of: u64,
    /// Bytes a second, lately.
    pub bytes_per_sec: f64,
    /// Seconds until the end, if it goes on like this; nothing as long as nothing arrives.
    pub secs_left: Option<f64>,
}

/// The time over which the speed is taken.
const LATELY: Duration = Duration::from_secs(8);

/// Samples nearer than this are taken as one.
const NEAR: Duration = Duration::from_millis(100);

/// Counts bytes, and works out the pace.
#[derive(Debug)]
pub(crate) struct Meter {
    done: u64,
    of: u64,
    samples: VecDeque<(Instant, u64)>,
}

impl Meter {
    pub fn new(of: u64, now: Instant) -> Self {
        Self { done: 0, of, samples: VecDeque::from([(now, 0)]) }
    }

    /// Counts bytes that were here before, or that had to be thrown away: they say nothing about the speed.
    pub fn correct(&mut self, by: i64) {
        self.done = self.done.saturating_add_signed(by);
        for (_, done) in &mut self.samples {
            *done = done.saturating_add_signed(by);
        }
    }

    /// Counts bytes that arrived.
    pub fn add(&mut self, bytes: u64, now: Instant) {
        self.done += bytes;
        let is_first = self.samples.len() < 2;
        match self.samples.back_mut() {
            Some((at, done)) if !is_first && now.duration_since(*at) < NEAR => *done = self.done,
            _ => self.samples.push_back((now, self.done)),
        }
        while self.samples.len() > 2 && now.duration_since(self.samples[1].0) > LATELY {
            self.samples.pop_front();
        }
    }

    pub fn pace(&self, now: Instant) -> Pace {
        let (since, done) = self.samples.front().copied().unwrap_or((now, self.done));
        let secs = now.duration_since(since).as_secs_f64();
        let bytes_per_sec = if secs > 0.0 { self.done.saturating_sub(done) as f64 / secs } else { 0.0 };
        let left = self.of.saturating_sub(self.done) as f64;
        let secs_left = (bytes_per_sec > 0.0).then(|| left / bytes_per_sec);
        Pace { done: self.done, of: self.of, bytes_per_sec, secs_left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut meter = Meter::new(10_000, start);
        assert_eq!(meter.pace(start).secs_left, None);
        meter.correct(4000);
        assert_eq!((meter.pace(at(500)).done, meter.pace(at(500)).bytes_per_sec), (4000, 0.0));
        (1..=10).for_each(|second| meter.add(100, at(second * 1000)));
        let pace = meter.pace(at(10_000));
        assert_eq!((pace.done, pace.bytes_per_sec, pace.secs_left), (5000, 100.0, Some(50.0)));
        (11..=30).for_each(|second| meter.add(200, at(second * 1000)));
        assert_eq!(meter.pace(at(30_000)).bytes_per_sec, 200.0, "what was long ago does not count");
        assert!(meter.samples.len() < 15, "{}", meter.samples.len());
        assert!(meter.pace(at(60_000)).bytes_per_sec < 100.0, "a stall is seen");
    }
}

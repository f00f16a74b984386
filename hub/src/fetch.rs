//! One file: its ranges side by side, each tried again where it broke off, and its hash before anybody sees it.

use std::collections::VecDeque;
use std::fs;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ureq::http::{Method, Uri};

use crate::cache::Folder;
use crate::fault::HubFault;
use crate::hash;
use crate::http::{Answer, Client, Ended, Failure, Flow, Question, header};
use crate::parts::{About, Parts};
use crate::policy::shown;
use crate::progress::{Event, Meter, Watch};
use crate::retry::Attempts;

/// Bytes that are read, and written, at once.
const PIECE: usize = 256 << 10;

/// What an attempt must bring to count as a gain: less, and a server that cuts every answer short would be asked for ever.
const GAIN: u64 = 64 << 10;

/// Counts what arrives, for whoever watches.
pub(crate) struct Tally<'w> {
    pub watch: &'w dyn Watch,
    meter: Mutex<Meter>,
}

impl<'w> Tally<'w> {
    pub fn new(watch: &'w dyn Watch, bytes: u64) -> Self {
        Self { watch, meter: Mutex::new(Meter::new(bytes, Instant::now())) }
    }

    fn count(&self, job: &Job<'_>, count: impl FnOnce(&mut Meter)) {
        let pace = {
            let mut meter = self.meter.lock().expect("nothing panics while it counts");
            count(&mut meter);
            meter.pace(Instant::now())
        };
        let done = job.done.load(Ordering::Relaxed);
        self.watch.see(&Event::Progress { file: job.file, done, of: job.size, pace });
    }
}

/// A file to fetch.
pub(crate) struct Job<'j> {
    client: &'j Client,
    folder: &'j Folder,
    tally: &'j Tally<'j>,
    repo: &'j str,
    file: &'j str,
    hash: &'j str,
    size: u64,
    from: Uri,
    /// Where the hub's redirect led last: later ranges go there at once.
    direct: Mutex<Option<Uri>>,
    done: AtomicU64,
}

/// What a job is about.
pub(crate) struct Brief<'j> {
    pub repo: &'j str,
    pub file: &'j str,
    pub hash: &'j str,
    pub size: u64,
    pub from: Uri,
}

/// A body that is open.
enum Opened<'c> {
    /// The range that was asked for.
    Range(Flow<'c>),
    /// The whole file: the server does not do ranges, or has another version.
    Whole(Flow<'c>),
}

/// How far the server's own name for the version is trusted.
#[derive(Clone, Copy, PartialEq)]
enum Validate {
    /// It must stay the same.
    Yes,
    /// It changed once, perhaps because servers of one store do not agree; the hash decides.
    ByHash,
}

impl<'j> Job<'j> {
    pub fn new(client: &'j Client, folder: &'j Folder, tally: &'j Tally<'j>, brief: Brief<'j>) -> Self {
        let Brief { repo, file, hash, size, from } = brief;
        let (direct, done) = (Mutex::new(None), AtomicU64::new(0));
        Self { client, folder, tally, repo, file, hash, size, from, direct, done }
    }

    /// Fetches the blob. Whoever calls holds its lock.
    pub fn run(&self) -> Result<(), HubFault> {
        let (partial, blob) = (self.folder.partial(self.hash), self.folder.blob(self.hash));
        let mut found = String::new();
        for _ in 0..2 {
            self.all_bytes()?;
            self.tally.watch.see(&Event::Verifying { file: self.file });
            found = hash::of_file(&partial, self.hash, &self.client.stop)?;
            if found == self.hash {
                return fs::rename(&partial, &blob).map_err(HubFault::io("write", &blob));
            }
            self.throw_away()?;
        }
        Err(HubFault::Damaged { file: self.file.to_owned(), found, wanted: self.hash.to_owned() })
    }

    fn throw_away(&self) -> Result<(), HubFault> {
        let partial = self.folder.partial(self.hash);
        fs::remove_file(&partial).map_err(HubFault::io("remove", &partial))?;
        self.lose(self.done.load(Ordering::Relaxed));
        Ok(())
    }

    /// Brings every byte here; starts anew once if the server has another version, or another length.
    fn all_bytes(&self) -> Result<(), HubFault> {
        let mut validate = Validate::Yes;
        loop {
            let (path, chunk) = (self.file.to_owned(), self.client.tuning.chunk);
            let about = About { path, size: self.size, chunk, validator: None };
            let parts = Parts::open(&self.folder.partial(self.hash), about)?;
            let before = self.done.swap(parts.all_done(), Ordering::Relaxed);
            self.tally.count(self, |meter| meter.correct(parts.all_done() as i64 - before as i64));
            match self.round(&parts, validate) {
                Ok(()) => return parts.finish(),
                Err(Ended::Anew(_)) if validate == Validate::Yes => {
                    validate = Validate::ByHash;
                    self.throw_away()?;
                }
                Err(ended) => return Err(ended.into()),
            }
        }
    }

    /// Asks for the first range alone, to see how the server answers, and then for several at once.
    fn round(&self, parts: &Parts, validate: Validate) -> Result<(), Ended> {
        let mut missing = VecDeque::from(parts.missing());
        let Some(first) = missing.pop_front() else { return Ok(()) };
        let mut attempts = self.attempts(first);
        loop {
            let opened = self
                .client
                .patiently(self.file, self.tally.watch, &mut attempts, |_| self.open(parts, first, validate));
            match opened? {
                Opened::Range(flow) => return self.side_by_side(parts, (first, flow), missing, validate),
                Opened::Whole(flow) => {
                    if self.pour_whole(parts, flow, &mut attempts)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Fills the chunks, several at once. The first one is open.
    fn side_by_side(
        &self,
        parts: &Parts,
        (first, flow): (usize, Flow<'j>),
        missing: VecDeque<usize>,
        validate: Validate,
    ) -> Result<(), Ended> {
        let others = (self.client.tuning.ranges - 1).min(missing.len());
        let queue = Mutex::new(missing);
        let take = || queue.lock().expect("nothing panics in between").pop_front();
        let fill = |index, flow| {
            let done = self.chunk(parts, index, flow, validate);
            if done.is_err() {
                // Nobody goes on when one of the ranges is lost.
                queue.lock().expect("nothing panics in between").clear();
            }
            done
        };
        let fill_others = || std::iter::from_fn(take).try_for_each(|index| fill(index, None));
        std::thread::scope(|scope| {
            let others: Vec<_> = (0..others).map(|_| scope.spawn(fill_others)).collect();
            let mut done = fill(first, Some(flow)).and_then(|()| fill_others());
            for other in others {
                done = done.and(other.join().expect("a range does not panic"));
            }
            done
        })
    }

    fn attempts(&self, index: usize) -> Attempts<'_> {
        let name = u64::from_str_radix(&self.hash[..16], 16).unwrap_or_default();
        Attempts::new(&self.client.tuning.retry, name.wrapping_add(index as u64))
    }

    /// Brings a chunk here, in as many attempts as it takes.
    fn chunk(
        &self,
        parts: &Parts,
        index: usize,
        mut opened: Option<Flow<'j>>,
        validate: Validate,
    ) -> Result<(), Ended> {
        self.client.patiently(self.file, self.tally.watch, &mut self.attempts(index), |attempts| {
            let before = parts.done(index);
            let flow = match opened.take() {
                Some(flow) => flow,
                None => match self.open(parts, index, validate)? {
                    Opened::Range(flow) => flow,
                    Opened::Whole(flow) => return Err(odd("a whole file for a range", &flow.from)),
                },
            };
            let done = self.pour(parts, index..index + 1, flow);
            if parts.done(index) - before >= GAIN {
                attempts.gained();
            }
            done
        })
    }

    /// Asks for what is wanted of a chunk.
    fn open(&self, parts: &Parts, index: usize, validate: Validate) -> Result<Opened<'j>, Failure> {
        let asked = parts.next(index)..parts.next(index) + parts.left(index);
        let is_all = asked == (0..self.size);
        let validator = parts.validator().filter(|_| validate == Validate::Yes);
        let mut headers = Vec::new();
        if !is_all {
            headers.push(("range", format!("bytes={}-{}", asked.start, asked.end - 1)));
            headers.extend(validator.iter().map(|validator| ("if-range", validator.clone())));
        }
        let answer = self.ask(headers)?;
        let headers = answer.response.headers();
        let length = header(headers, "content-length").and_then(|length| length.parse::<u64>().ok());
        let range = header(headers, "content-range");
        match answer.response.status().as_u16() {
            206 => {
                self.check_range(range.as_deref(), &asked, &answer.from)?;
                // A weak name says that two versions mean the same, not that they are the same (RFC 9110, 13.1.5).
                let tag = header(headers, "etag").filter(|tag| tag.starts_with('"') && validate == Validate::Yes);
                match (validator, tag) {
                    (Some(known), Some(tag)) if known != tag => {
                        return Err(odd("a range of another version", &answer.from));
                    }
                    (None, Some(tag)) => parts.set_validator(&tag)?,
                    _ => {}
                }
                Ok(Opened::Range(Flow::new(self.client, answer)))
            }
            416 => {
                Err(self
                    .wrong_length(range.and_then(|range| range.rsplit_once('/')?.1.parse().ok()).unwrap_or_default()))
            }
            _ if length.is_some_and(|length| length != self.size) => Err(self.wrong_length(length.unwrap_or_default())),
            _ if is_all => Ok(Opened::Range(Flow::new(self.client, answer))),
            _ => Ok(Opened::Whole(Flow::new(self.client, answer))),
        }
    }

    /// A range must be the one that was asked for, of a file of the right size.
    fn check_range(&self, range: Option<&str>, asked: &Range<u64>, from: &Uri) -> Result<(), Failure> {
        let Some((range, total)) = range.and_then(read_range) else {
            return Err(odd("a range without its place", from));
        };
        match total {
            Some(total) if total != self.size => Err(self.wrong_length(total)),
            _ if range != *asked => Err(odd("another range than was asked for", from)),
            _ => Ok(()),
        }
    }

    fn wrong_length(&self, found: u64) -> Failure {
        Failure::Anew(HubFault::Length { file: self.file.to_owned(), found, wanted: self.size })
    }

    /// Asks where the last answer came from, or else the hub.
    fn ask(&self, headers: Vec<(&'static str, String)>) -> Result<Answer, Failure> {
        let known = self.direct.lock().expect("nothing panics in between").clone();
        let from = known.as_ref().unwrap_or(&self.from);
        let question = Question { what: self.file, repo: self.repo, method: Method::GET, from, headers };
        let answer = self.client.ask(&question);
        let mut direct = self.direct.lock().expect("nothing panics in between");
        // A signed address is good for a while; after any failure the hub is asked for a new one.
        *direct = answer.as_ref().ok().map(|answer| answer.from.clone());
        answer
    }

    /// Reads a whole file from its first byte, over whatever was here; false if it was cut, and may be tried again.
    fn pour_whole(&self, parts: &Parts, flow: Flow<'_>, attempts: &mut Attempts<'_>) -> Result<bool, Ended> {
        for index in 0..parts.chunks() {
            self.lose(parts.done(index));
            parts.forget(index)?;
        }
        let mut poured = Some(self.pour(parts, 0..parts.chunks(), flow));
        // A cut counts as a failed attempt, whatever it brought: the next answer begins at the first byte again.
        self.client.patiently(self.file, self.tally.watch, attempts, |_| match poured.take() {
            Some(poured) => poured.map(|()| true),
            None => Ok(false),
        })
    }

    /// Reads a body into the chunks that it is for.
    fn pour(&self, parts: &Parts, chunks: Range<usize>, mut flow: Flow<'_>) -> Result<(), Failure> {
        let mut piece = vec![0; PIECE];
        for index in chunks {
            while parts.left(index) > 0 {
                let most = parts.left(index).min(PIECE as u64) as usize;
                let read = flow.read(&mut piece[..most])?;
                if read == 0 {
                    return Err(Failure::passing("the answer was cut short"));
                }
                parts.add(index, &piece[..read])?;
                self.gain(read as u64);
            }
        }
        // Reading to the end lets the connection be used again. If the end itself is lost, nothing is.
        match flow.read(&mut piece[..1]) {
            Ok(1) => Err(odd("more bytes than there should be", &flow.from)),
            _ => Ok(()),
        }
    }

    fn gain(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        self.tally.count(self, |meter| meter.add(bytes, Instant::now()));
    }

    fn lose(&self, bytes: u64) {
        self.done.fetch_sub(bytes, Ordering::Relaxed);
        self.tally.count(self, |meter| meter.correct(-(bytes as i64)));
    }
}

/// An answer after which nothing that is here can be trusted.
fn odd(what: &str, url: &Uri) -> Failure {
    Failure::Anew(HubFault::Answer { what: what.to_owned(), url: shown(url) })
}

/// Reads `bytes 0-9/10`: the range, and the size of the whole, which may be unknown.
fn read_range(text: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first..last.checked_add(1)?, total.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_52_a_range_is_read_as_it_is_written() {
        assert_eq!(read_range("bytes 0-9/10"), Some((0..10, Some(10))));
        assert_eq!(read_range("bytes 5-5/*"), Some((5..6, None)));
        for bad in ["", "bytes */10", "bytes 9-0/10", "0-9/10", "bytes 0-18446744073709551615/1", "bytes a-b/c"] {
            assert_eq!(read_range(bad), None, "{bad}");
        }
    }
}

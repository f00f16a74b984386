//! A cache in a folder of its own, a watch that remembers, and a clock that does not wait.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use darkroom_hub::retry::{Clock, Retry};
use darkroom_hub::{Address, Event, Hub, HubFault, Plan, Settings, Tuning, Watch};

use crate::server::Server;

/// The chunk of the tests.
pub const CHUNK: u64 = 10_000;

pub struct Room {
    _home: tempfile::TempDir,
    pub settings: Settings,
    pub tuning: Tuning,
    pub clock: Arc<Waits>,
    pub seen: Seen,
}

impl Room {
    pub fn new(server: &Server) -> Self {
        Self::at(&server.endpoint())
    }

    pub fn at(endpoint: &str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let settings = Settings::new(home.path().join("hub"), endpoint);
        let clock = Arc::new(Waits::default());
        let [first, longest, budget] = [100, 1000, 60_000].map(Duration::from_millis);
        let tuning = Tuning {
            chunk: CHUNK,
            retry: Retry { attempts: 4, first, longest, budget, seed: 7 },
            window: Duration::from_secs(5),
            slowest: 1,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            free_space: Arc::new(|_| Ok(1 << 40)),
            ..Tuning::default()
        };
        Self { _home: home, settings, tuning, clock, seen: Seen::default() }
    }

    pub fn hub(&self) -> Hub {
        Hub::new(self.settings.clone()).with(self.tuning.clone())
    }

    pub fn pull(&self, given: &str) -> Result<Plan, HubFault> {
        self.hub().pull(&address(given), &self.seen)
    }

    pub fn repo(&self) -> PathBuf {
        self.settings.cache.join("models--o--n")
    }

    /// Names of the half-fetched files.
    pub fn partials(&self) -> Vec<String> {
        names(&self.repo().join("blobs")).into_iter().filter(|name| name.ends_with(".incomplete")).collect()
    }
}

pub fn address(given: &str) -> Address {
    given.parse().expect("an address")
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Remembers what happened, in words.
#[derive(Default)]
pub struct Seen {
    pub events: Mutex<Vec<String>>,
    pub cancel: Arc<AtomicBool>,
    /// Asks to stop once so many bytes are here.
    pub cancel_at: Option<u64>,
}

impl Seen {
    pub fn has(&self, part: &str) -> bool {
        self.events.lock().expect("sound").iter().any(|event| event.contains(part))
    }
}

impl Watch for Seen {
    fn see(&self, event: &Event<'_>) {
        if let (Event::Progress { pace, .. }, Some(most)) = (event, self.cancel_at)
            && pace.done >= most
        {
            self.cancel.store(true, Ordering::SeqCst);
        }
        self.events.lock().expect("sound").push(format!("{event:?}"));
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }
}

/// A clock that remembers waits instead of waiting.
#[derive(Debug, Default)]
pub struct Waits(pub Mutex<Vec<Duration>>);

impl Waits {
    pub fn all(&self) -> Vec<Duration> {
        self.0.lock().expect("sound").clone()
    }
}

impl Clock for Waits {
    fn unix_seconds(&self) -> u64 {
        1_445_412_400
    }

    fn wait(&self, time: Duration, _: &dyn Fn() -> bool) {
        self.0.lock().expect("sound").push(time);
    }
}

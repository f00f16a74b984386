//! The flag that ends a pull: somebody asked, or a part of it failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::HubFault;
use crate::progress::Watch;

/// How often anything that waits looks at the flag.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// The flag; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`HubFault::Cancelled`] once the flag is up.
    pub fn check(&self) -> Result<(), HubFault> {
        if self.is_asked() { Err(HubFault::Cancelled) } else { Ok(()) }
    }

    /// Does something while another thread looks whether the watch wants it to stop.
    pub fn follow<T>(&self, watch: &dyn Watch, deed: impl FnOnce() -> T) -> T {
        let (over, is_over) = sync_channel::<()>(0);
        thread::scope(|scope| {
            scope.spawn(move || {
                // The other end is dropped when the deed is over.
                while is_over.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    if watch.is_cancelled() {
                        self.ask();
                    }
                }
            });
            let done = deed();
            drop(over);
            done
        })
    }

    /// Waits for something that cannot be interrupted, as a look-up of a name, and leaves it alone when the flag goes up or
    /// the time is over: then it ends on its own, and nobody hears of it.
    pub fn wait_for<T: Send + 'static>(&self, limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (send, receive) = sync_channel(1);
        thread::spawn(move || {
            // Nobody listens any more if the wait is over.
            let _ = send.send(work());
        });
        let start = Instant::now();
        while !self.is_asked() && start.elapsed() < limit {
            match receive.recv_timeout(LOOK) {
                Ok(done) => return Some(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }
}

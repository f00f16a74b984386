//! Ctrl-C: the first asks the run to stop, the second ends the program.

use std::sync::Arc;

use darkroom_core::observe::Cancel;

use crate::desk::Desk;
use crate::exit;

/// Listens from now on; returns what a run must hear. Being told to end (SIGTERM) means the same.
pub fn listen(desk: &Arc<Desk>) -> Cancel {
    let cancel = Cancel::new();
    let (asked, at) = (cancel.clone(), Arc::clone(desk));
    let listening = ctrlc::set_handler(move || {
        if asked.is_asked() {
            end_at_once();
        }
        asked.ask();
        at.say("stopping; press Ctrl-C again to end at once");
    });
    if let Err(error) = listening {
        desk.warn(&format!("Ctrl-C will not be heard: {error}"));
    }
    cancel
}

/// Ends the program in the middle of whatever it does. What is half-written lies aside, and is swept away later.
#[expect(clippy::disallowed_methods, reason = "a second Ctrl-C is for a program that does not hear the first")]
fn end_at_once() -> ! {
    std::process::exit(exit::CANCELLED.into())
}

//! The desk: all words leave the program over it. Results go to stdout, everything else to stderr and, while a run is
//! under way, into the log of the session. What came from outside is made safe to show on the way.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use darkroom_core::fault::{Fault, FaultKind, Faults, Located};
use indicatif::MultiProgress;
use serde_json::{Value, json};

use crate::log::Log;
use crate::words::{Secrets, escape};

/// Where words go.
pub struct Desk {
    secrets: Secrets,
    bars: MultiProgress,
    log: Mutex<Option<Log>>,
}

impl Desk {
    /// Sets the desk up for the environment's secrets.
    pub fn new() -> Self {
        Self { secrets: Secrets::from_environment(), bars: MultiProgress::new(), log: Mutex::default() }
    }

    /// Returns the place on the screen where bars are drawn.
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Tells whether a person is watching.
    pub fn is_watched(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Makes words safe to show, as one line.
    pub fn safe(&self, text: &str) -> String {
        escape(&self.secrets.redact(text)).into_owned()
    }

    /// Begins the log of the session. One that cannot be written is worth a word, not a fault.
    pub fn begin_log(&self, path: &Path) {
        match Log::begin(path) {
            Ok(log) => *self.log() = Some(log),
            Err(fault) => self.warn(&format!("there will be no log: {fault}")),
        }
    }

    /// Writes a line into the log only.
    pub fn note(&self, text: &str) {
        if let Some(log) = self.log().as_mut() {
            log.line(&self.safe(text));
        }
    }

    /// Says one line.
    pub fn say(&self, text: &str) {
        self.note(text);
        self.print(&[self.safe(text)]);
    }

    /// Says one line that a person should notice.
    pub fn warn(&self, text: &str) {
        self.say(&format!("warning: {text}"));
    }

    /// Says lines that belong together.
    pub fn say_all(&self, lines: &[String]) {
        lines.iter().for_each(|line| self.note(line));
        self.print(&lines.iter().map(|line| self.safe(line)).collect::<Vec<_>>());
    }

    /// Shows all that is wrong.
    pub fn show(&self, faults: &Faults) {
        self.say_all(&faults.0.iter().flat_map(lines_of).collect::<Vec<_>>());
        if faults.0.len() > 1 {
            self.say(&format!("{} faults", faults.0.len()));
        }
    }

    /// Gives a result: one line, as it is for a program, made safe for a person.
    ///
    /// # Errors
    /// A fault if stdout cannot be written, except when nobody reads it any more.
    pub fn answer(&self, text: &str) -> Result<(), Faults> {
        self.note(&format!("result: {text}"));
        if io::stdout().is_terminal() { put(&self.safe(text)) } else { put(text) }
    }

    /// Gives a text of several lines as the result. Its lines hold what came from outside, line by line.
    ///
    /// # Errors
    /// The same as [`Self::answer`].
    pub fn answer_text(&self, text: &str) -> Result<(), Faults> {
        put(&text.lines().map(|line| self.safe(line)).collect::<Vec<_>>().join("\n"))
    }

    /// Gives a JSON object, on one line, as the result.
    ///
    /// # Errors
    /// The same as [`Self::answer`].
    pub fn answer_json(&self, mut value: Value) -> Result<(), Faults> {
        self.secrets.redact_json(&mut value);
        put(&value.to_string())
    }

    fn print(&self, lines: &[String]) {
        self.bars.suspend(|| {
            let mut stderr = io::stderr().lock();
            for line in lines {
                // If nobody can read it, nobody can be told.
                let _ = writeln!(stderr, "{line}");
            }
        });
    }

    fn log(&self) -> MutexGuard<'_, Option<Log>> {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn put(text: &str) -> Result<(), Faults> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Fault::io("write to", Path::new("stdout"), &error).into())
        }
        _ => Ok(()),
    }
}

fn lines_of(located: &Located) -> Vec<String> {
    let Located { fault, place } = located;
    if fault.kind == FaultKind::Cancelled {
        let at = place.node.as_ref().map(|(id, _)| format!(" at `{id}`")).unwrap_or_default();
        return vec![format!("stopped{at}; what is finished is kept, and the next run goes on from there")];
    }
    let mut lines = vec![format!("error: {}", fault.message)];
    let step = place.step.map(|step| format!("step {step}"));
    let at: Vec<_> = Some(place.to_string()).filter(|at| !at.is_empty()).into_iter().chain(step).collect();
    if !at.is_empty() {
        lines.push(format!("  at {}", at.join(" › ")));
    }
    lines.extend(fault.hint.iter().map(|hint| format!("  hint: {hint}")));
    lines
}

/// Writes a fault for a program.
pub fn fault_json(located: &Located) -> Value {
    let Located { fault, place } = located;
    json!({
        "kind": fault.kind.word(),
        "message": fault.message,
        "hint": fault.hint,
        "file": place.file.as_ref().map(|file| file.to_string_lossy()),
        "line": place.position.map(|at| at.line),
        "column": place.position.map(|at| at.column),
        "node": place.node.as_ref().map(|(id, _)| id),
        "type": place.node.as_ref().map(|(_, kind)| kind),
        "definition": place.within.as_ref().map(|within| &within.definition),
        "input": place.input,
        "step": place.step,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_sentence_place_and_way_out() {
        let mut located = Located::at_node(Fault::graph("no").hint("do"), "save", "save_image").input("image");
        located.place.file = Some("a.ron".into());
        located.place.step = Some(3);
        assert_eq!(lines_of(&located), ["error: no", "  at a.ron › save (save_image) › image › step 3", "  hint: do"]);
        assert_eq!(lines_of(&Fault::file("no").into()), ["error: no"]);
    }
}

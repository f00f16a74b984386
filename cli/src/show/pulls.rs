//! A pull on the screen: a bar for all of it, and one for each file under way. Without a person watching, one line a file.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use darkroom_core::observe::Cancel;
use darkroom_hub::fault::bytes_for_people;
use darkroom_hub::progress::Pace;
use darkroom_hub::{Event, Watch};
use indicatif::{ProgressBar, ProgressStyle};

use crate::desk::Desk;

/// Watches a pull.
pub struct Pulls<'d> {
    desk: &'d Desk,
    cancel: Cancel,
    drawn: Mutex<Drawn>,
}

#[derive(Default)]
struct Drawn {
    all: Option<ProgressBar>,
    files: HashMap<String, ProgressBar>,
}

impl<'d> Pulls<'d> {
    /// Draws nothing yet.
    pub fn new(desk: &'d Desk, cancel: Cancel) -> Self {
        Self { desk, cancel, drawn: Mutex::default() }
    }

    /// Takes all bars away.
    pub fn clear(&self) {
        let mut drawn = self.drawn.lock().expect("no thread panics while it draws");
        drawn.files.drain().for_each(|(_, bar)| bar.finish_and_clear());
        if let Some(all) = drawn.all.take() {
            all.finish_and_clear();
        }
    }

    fn progress(&self, file: &str, (done, of): (u64, u64), pace: &Pace) {
        if !self.desk.is_watched() {
            return;
        }
        let mut drawn = self.drawn.lock().expect("no thread panics while it draws");
        let all = drawn.all.get_or_insert_with(|| self.bar(pace.of, "{bar:24} {msg}"));
        all.set_position(pace.done);
        all.set_message(words(pace));
        let bar = drawn.files.entry(file.to_owned());
        let bar = bar.or_insert_with(|| self.bar(of, "{bar:24} {prefix}  {msg}").with_prefix(self.desk.safe(file)));
        bar.set_position(done);
        bar.set_message(format!("{} of {}", bytes_for_people(done), bytes_for_people(of)));
    }

    fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let style = ProgressStyle::with_template(template).expect("the templates above are well-formed");
        let bar = ProgressBar::new(length).with_style(style.progress_chars("━╸ "));
        let bar = self.desk.bars().add(bar);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    fn end(&self, file: &str) {
        let bar = self.drawn.lock().expect("no thread panics while it draws").files.remove(file);
        bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

fn words(pace: &Pace) -> String {
    let (done, of, speed) = (bytes_for_people(pace.done), bytes_for_people(pace.of), pace.bytes_per_sec as u64);
    let left = pace.secs_left.map_or(String::new(), |secs| format!(", {} left", time_for_people(secs)));
    format!("{done} of {of}, {}/s{left}", bytes_for_people(speed))
}

fn time_for_people(secs: f64) -> String {
    let secs = secs.ceil() as u64;
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min {} s", secs / 60, secs % 60),
        _ => format!("{} h {} min", secs / 3600, secs / 60 % 60),
    }
}

impl Watch for Pulls<'_> {
    fn see(&self, event: &Event<'_>) {
        match *event {
            Event::Planned { files: 0, .. } => {}
            Event::Planned { files, bytes } => {
                self.desk.say(&format!("{files} files to fetch, {}", bytes_for_people(bytes)));
            }
            Event::Progress { file, done, of, pace } => self.progress(file, (done, of), &pace),
            Event::Waiting { file } => self.desk.say(&format!("waiting for another process that fetches `{file}`")),
            Event::Retrying { file, why, wait } => {
                self.desk.warn(&format!("`{file}`: {why}; trying again in {:.1} s", wait.as_secs_f64()));
            }
            Event::Unreachable { why, commit } => {
                self.desk
                    .warn(&format!("the hub cannot be reached ({why}); what is here is used, at {}", &commit[..12]));
            }
            Event::Verifying { file } => self.desk.note(&format!("verifying `{file}`")),
            Event::Finished { file, bytes } => {
                self.end(file);
                self.desk.say(&format!("{:>10}  {file}", bytes_for_people(bytes)));
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_asked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_told_in_units_of_people() {
        let pace = Pace { done: 1_500_000, of: 4_000_000_000, bytes_per_sec: 12_000_000.0, secs_left: Some(333.2) };
        assert_eq!(words(&pace), "1.5 MB of 4.0 GB, 12.0 MB/s, 5 min 34 s left");
        assert_eq!(words(&Pace { secs_left: None, bytes_per_sec: 0.0, ..pace }), "1.5 MB of 4.0 GB, 0 B/s");
        assert_eq!((time_for_people(59.2), time_for_people(7290.0)), ("1 min 0 s".into(), "2 h 1 min".into()));
    }
}

//! Cards of NVIDIA, as their driver tells of them: by `nvidia-smi`, which comes with it, or by the files of its module.
//!
//! A driver that hangs must not hang whoever asks: the program is waited for a while, and then left alone.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::System;

/// How long the driver's program may take; the first call after a start wakes all cards.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is asked of each card. Drivers before 2021 do not know the second last.
const FIELDS: [&str; 2] = [
    "index,name,driver_version,memory.total,memory.free,compute_cap",
    "index,name,driver_version,memory.total,memory.free",
];

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It answered.
    Said(String),
    /// It ended with a fault, in these words.
    Refused(String),
    /// It was silent for this long.
    Silent(Duration),
    /// There is no such program.
    Absent,
}

/// Answers questions as `nvidia-smi` does.
pub trait Driver {
    /// Asks with these arguments.
    fn ask(&self, args: &[&str]) -> Answer;
}

/// The program.
#[derive(Debug, Clone, Copy)]
pub struct NvidiaSmi;

impl Driver for NvidiaSmi {
    fn ask(&self, args: &[&str]) -> Answer {
        ask_program("nvidia-smi", args, PATIENCE)
    }
}

/// A card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its number, as `--device` of other programs counts.
    pub index: u32,
    /// What its maker calls it.
    pub name: String,
    /// Its compute capability, as `9.0`.
    pub capability: Option<String>,
    /// Bytes of its memory.
    pub total: Option<u64>,
    /// Bytes of it that are free.
    pub free: Option<u64>,
}

/// What is known of cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Graphics {
    /// There is no driver.
    None,
    /// The driver answers.
    Found {
        /// Its cards.
        cards: Vec<Card>,
        /// Its version.
        driver: String,
        /// The newest CUDA that it runs.
        cuda: Option<String>,
    },
    /// There is a driver, and it does not answer as it should.
    Unclear {
        /// Why.
        why: String,
        /// The version of its module, if that is loaded.
        module: Option<String>,
    },
}

/// Asks the driver.
pub fn look(system: &System, driver: &dyn Driver) -> Graphics {
    let module = || module(&system.text(Path::new("/proc/driver/nvidia/version"))?);
    let mut answer = Answer::Absent;
    for fields in FIELDS {
        answer = driver.ask(&[&format!("--query-gpu={fields}"), "--format=csv,noheader,nounits"]);
        match &answer {
            Answer::Said(text) => return found(text, driver, module()),
            Answer::Refused(why) if why.contains("not a valid field") => {}
            _ => break,
        }
    }
    let why = match answer {
        Answer::Absent if module().is_none() => return Graphics::None,
        Answer::Absent => "its program `nvidia-smi` is not installed".to_owned(),
        Answer::Silent(time) => format!("`nvidia-smi` was silent for {} s", time.as_secs()),
        Answer::Refused(why) | Answer::Said(why) => format!("`nvidia-smi` says: {}", one_line(&why)),
    };
    Graphics::Unclear { why, module: module() }
}

fn found(text: &str, driver: &dyn Driver, module: Option<String>) -> Graphics {
    let rows: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).map(card).collect();
    let Some(cards) = rows.iter().cloned().collect::<Option<Vec<_>>>().filter(|cards| !cards.is_empty()) else {
        return Graphics::Unclear { why: format!("`nvidia-smi` says: {}", one_line(text)), module };
    };
    let version = cards[0].1.clone();
    let cuda = match driver.ask(&[]) {
        Answer::Said(table) => cuda(&table),
        _ => None,
    };
    Graphics::Found { cards: cards.into_iter().map(|(card, _)| card).collect(), driver: version, cuda }
}

/// Reads `0, NVIDIA H200, 550.54.15, 143771, 143153, 9.0`, with its driver; what is not known is `[N/A]` there.
fn card(line: &str) -> Option<(Card, String)> {
    let values: Vec<_> = line.split(", ").map(str::trim).collect();
    let [index, name, driver, total, free, rest @ ..] = values.as_slice() else { return None };
    let bytes = |mebibytes: &str| mebibytes.parse::<u64>().ok()?.checked_mul(1 << 20);
    let capability = rest.first().filter(|text| text.starts_with(|letter: char| letter.is_ascii_digit()));
    let capability = capability.map(|text| (*text).to_owned());
    let card = Card {
        index: index.parse().ok()?,
        name: (*name).to_owned(),
        capability,
        total: bytes(total),
        free: bytes(free),
    };
    Some((card, (*driver).to_owned()))
}

/// Reads `… CUDA Version: 12.4 …` in the table that `nvidia-smi` shows.
fn cuda(table: &str) -> Option<String> {
    let line = table.lines().find_map(|line| line.split_once("CUDA")?.1.split_once("Version"))?.1;
    let number = line.trim_start_matches([' ', ':']).split([' ', '|']).next()?;
    number.starts_with(|letter: char| letter.is_ascii_digit()).then(|| number.to_owned())
}

/// Reads the version in `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024`.
fn module(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM"))?;
    let is_version = |word: &&str| word.contains('.') && word.split('.').all(|part| part.parse::<u32>().is_ok());
    line.split_whitespace().find(is_version).map(str::to_owned)
}

fn one_line(text: &str) -> String {
    const LONGEST: usize = 200;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "nothing".to_owned() } else { text.chars().take(LONGEST).collect() }
}

/// Runs a program that should end soon.
fn ask_program(program: &str, args: &[&str], patience: Duration) -> Answer {
    let spawned =
        Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return Answer::Absent,
        Err(error) => return Answer::Refused(error.to_string()),
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (tell, hear) = mpsc::channel();
    thread::spawn(move || drop(tell.send((text_of(out), text_of(err)))));
    let Ok((out, err)) = hear.recv_timeout(patience) else {
        // One that waits for its driver may not even be stopped: somebody else waits for its end.
        drop(child.kill());
        thread::spawn(move || drop(child.wait()));
        return Answer::Silent(patience);
    };
    match child.wait() {
        Ok(status) if status.success() => Answer::Said(out),
        // It tells some of its faults on the one, some on the other.
        Ok(_) => Answer::Refused(format!("{out} {err}")),
        Err(error) => Answer::Refused(error.to_string()),
    }
}

fn text_of(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    // What came before a fault is what it said.
    drop(pipe.map(|mut pipe| pipe.read_to_end(&mut bytes)));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::system;

    /// A driver that answers what it was told to.
    struct Played<F>(F);

    impl<F: Fn(&str) -> Answer> Driver for Played<F> {
        fn ask(&self, args: &[&str]) -> Answer {
            (self.0)(args.first().copied().unwrap_or_default())
        }
    }

    fn said(text: &str) -> Answer {
        Answer::Said(text.to_owned())
    }

    fn refused(text: &str) -> Answer {
        Answer::Refused(text.to_owned())
    }

    const MODULE: &str = "\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
";

    const TABLE: &str = "\
Tue Mar  5 22:30:00 2024
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |
|-----------------------------------------+------------------------+----------------------+
";

    fn looked(answer: impl Fn(&str) -> Answer) -> Graphics {
        look(&system(&[]).system, &Played(answer))
    }

    fn why(answer: &Answer) -> String {
        let played = system(&[("/proc/driver/nvidia/version", MODULE)]);
        match look(&played.system, &Played(|_: &str| answer.clone())) {
            Graphics::Unclear { why, module } => {
                assert_eq!(module.as_deref(), Some("550.54.15"));
                why
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn cards_are_told_with_driver_cuda_capability_and_memory() {
        let rows =
            "0, NVIDIA GeForce RTX 4060, 550.54.15, 8188, 7000, 8.9\n1, NVIDIA GB10, 550.54.15, [N/A], [N/A], 12.1\n\n";
        let found = looked(|asked| if asked.starts_with("--query") { said(rows) } else { said(TABLE) });
        let card = |index, name: &str, capability: &str, total, free| Card {
            index,
            name: name.to_owned(),
            capability: Some(capability.to_owned()),
            total,
            free,
        };
        let cards = vec![
            card(0, "NVIDIA GeForce RTX 4060", "8.9", Some(8188 << 20), Some(7000 << 20)),
            card(1, "NVIDIA GB10", "12.1", None, None),
        ];
        let (driver, cuda) = ("550.54.15".to_owned(), Some("12.4".to_owned()));
        assert_eq!(found, Graphics::Found { cards, driver, cuda });
    }

    #[test]
    fn an_old_driver_is_asked_for_less() {
        let found = looked(|asked| match asked {
            _ if asked.contains("compute_cap") => refused("Field \"compute_cap\" is not a valid field to query.\n"),
            _ if asked.starts_with("--query") => said("0, Tesla P4, 450.80.02, 7611, 7000\n"),
            _ => refused("unknown"),
        });
        let Graphics::Found { cards, driver, cuda } = found else { panic!("{found:?}") };
        assert_eq!((cards[0].capability.as_deref(), driver.as_str(), cuda), (None, "450.80.02", None));
    }

    #[test]
    fn row_48_a_driver_that_does_not_answer_is_told_in_its_words() {
        let lost = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\nMake sure that it is installed.\n";
        assert!(why(&refused(lost)).ends_with("with the NVIDIA driver. Make sure that it is installed."));
        assert_eq!(
            why(&refused("Failed to initialize NVML: Driver/library version mismatch\n")).matches('\n').count(),
            0
        );
        assert_eq!(why(&said("No devices were found\n")), "`nvidia-smi` says: No devices were found");
        assert_eq!(why(&said("")), "`nvidia-smi` says: nothing");
        assert_eq!(why(&Answer::Silent(PATIENCE)), "`nvidia-smi` was silent for 10 s");
        assert_eq!(why(&Answer::Absent), "its program `nvidia-smi` is not installed");
        for broken in ["0, A", "x, A, 1.2, 3, 4, 5\n", "0, A, 1.2, 3, 4, 5\n<html>", &"long ".repeat(100)] {
            assert!(why(&said(broken)).chars().count() < 250, "{broken}");
        }
    }

    #[test]
    fn without_a_driver_there_is_no_card() {
        assert_eq!(looked(|_| Answer::Absent), Graphics::None);
    }

    #[test]
    fn the_newest_cuda_is_read_from_every_form_of_the_table() {
        assert_eq!(cuda(TABLE).as_deref(), Some("12.4"));
        assert_eq!(cuda("CUDA Version        : 12.8\n").as_deref(), Some("12.8"));
        assert_eq!(cuda("| CUDA Version: N/A  |"), None);
        assert_eq!(cuda("no such line"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_waited_for_and_no_longer() {
        let patience = Duration::from_secs(60);
        let ask = |script: &str, patience| ask_program("sh", &["-c", script], patience);
        assert_eq!(ask("printf hello", patience), said("hello"));
        assert_eq!(ask("printf a; printf b >&2; exit 3", patience), refused("a b"));
        let hurry = Duration::from_millis(100);
        assert_eq!(ask("exec sleep 600", hurry), Answer::Silent(hurry));
        assert_eq!(ask_program("darkroom-has-no-such-program", &[], patience), Answer::Absent);
    }
}

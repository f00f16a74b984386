//! Edits a workflow, keeps it in a journal and saves it, again and again until it is killed: `keep_and_die STATE FILE`.
//! The number of each save is printed once it is done.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use darkroom_core::literal::Literal;
use darkroom_editor::document::{Document, Edit};
use darkroom_editor::session::{DocumentId, Journal, PAUSE};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<_> = std::env::args().skip(1).collect();
    let [state, file] = &given[..] else { return Err("two words are wanted".into()) };
    let (state, file) = (Path::new(state), Path::new(file));
    let (mut journal, _) = Journal::begin(state)?;
    let mut document = Document::open(file).map_err(|faults| faults.0[0].to_string())?.document;
    let (id, start) = (DocumentId(1), Instant::now());
    let node = document.sheet().named("prompt").ok_or("it has a prompt")?;
    for number in 1_u32.. {
        // Long enough that a write takes its time.
        let text = format!("{number} {} {number}", "many words ".repeat(20_000));
        document
            .step("type", [Edit::Set(node, "text".to_owned(), Some(Literal::Text(text)))])
            .map_err(|refused| refused.0)?;
        journal.keep(id, &document, start + PAUSE * number);
        // The journal's thread keeps up with a hand, not with a loop.
        std::thread::sleep(Duration::from_millis(4));
        if number % 3 == 0 {
            document.save(file)?;
            journal.forget(id);
            let mut out = std::io::stdout().lock();
            writeln!(out, "{number}")?;
            out.flush()?;
        }
    }
    Ok(())
}

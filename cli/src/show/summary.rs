//! What a run came to, for a person: one line a node, then the sum.

use std::collections::HashSet;
use std::path::Path;

use darkroom_core::engine::{NodeReport, Report};
use darkroom_core::observe::How;
use darkroom_core::residency::gibibytes;

/// Writes one line for each node, in columns, and one for the run.
pub fn lines(report: &Report) -> Vec<String> {
    let rows: Vec<_> = report.nodes.iter().map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let line = |[id, what, why]: &[String; 3]| format!("{id:<first$}  {what:>second$}  {why}").trim_end().to_owned();
    let mut lines: Vec<_> = rows.iter().map(line).collect();
    let ran = report.nodes.iter().filter(|node| node.how == Some(How::Ran)).count();
    let peak = match report.peak_bytes {
        0 => String::new(),
        bytes => format!(", peak memory {}", gibibytes(bytes)),
    };
    let on_cards = report.card_peaks.iter().filter(|(_, peak)| **peak > 0);
    let on_cards: String = on_cards.map(|(card, peak)| format!(", {}{}", gibibytes(*peak), card.on())).collect();
    lines.push(format!("{ran} of {} nodes ran, {}{peak}{on_cards}", report.nodes.len(), seconds(report.seconds)));
    lines
}

fn row(node: &NodeReport) -> [String; 3] {
    let what = match node.how {
        Some(How::Ran) => seconds(node.seconds),
        Some(how) => how.word().to_owned(),
        None => "-".to_owned(),
    };
    [node.id.clone(), what, node.why.clone()]
}

/// Writes a length of time with as many digits as it deserves.
fn seconds(seconds: f64) -> String {
    match seconds {
        _ if seconds >= 60.0 => format!("{:.0} min {:02.0} s", (seconds / 60.0).floor(), (seconds % 60.0).floor()),
        _ if seconds >= 1.0 => format!("{seconds:.1} s"),
        _ => format!("{:.0} ms", seconds * 1000.0),
    }
}

/// Lists the files that the wanted nodes stand for, as seen from the working folder where they lie below it.
pub fn files(report: &Report) -> Vec<String> {
    let here = std::env::current_dir().unwrap_or_default();
    let shown = |path: &Path| path.strip_prefix(&here).unwrap_or(path).display().to_string();
    let values = report.results.iter().flat_map(|(_, values)| values);
    // Nodes that are made of the same stand for one file.
    let mut seen = HashSet::new();
    let mut files: Vec<_> = values.flat_map(|value| value.written()).collect();
    files.retain(|path| seen.insert(path.clone()));
    files.iter().map(|path| shown(path)).collect()
}

/// Says what the wanted nodes made that is no file, as `decode: image 256×256`.
pub fn others(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for (id, values) in &report.results {
        for value in values.iter().filter(|value| value.written().is_empty()) {
            let literal = value.literal().map(|literal| format!(" {literal}")).unwrap_or_default();
            lines.push(format!("{id}: {}{literal}", value.describe()));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_summed_up_in_columns() {
        let node = |id: &str, how, why: &str, seconds| NodeReport {
            id: id.to_owned(),
            kind: "toy".to_owned(),
            how,
            why: why.to_owned(),
            seconds,
            memory: None,
        };
        let nodes = vec![
            node("model", Some(How::Opened), "needed", 0.0),
            node("denoise", Some(How::Ran), "`text` changed", 83.4),
            node("save", Some(How::Cached), "nothing changed", 0.0),
            node("spare", None, "not needed", 0.0),
        ];
        let report = Report { nodes, seconds: 83.7, peak_bytes: 3 << 29, ..Report::default() };
        let expected = [
            "model        opened  needed",
            "denoise  1 min 23 s  `text` changed",
            "save         cached  nothing changed",
            "spare             -  not needed",
            "1 of 4 nodes ran, 1 min 23 s, peak memory 1.5 GiB",
        ];
        assert_eq!(lines(&report), expected);
        assert_eq!((seconds(0.0123), seconds(12.34)), ("12 ms".to_owned(), "12.3 s".to_owned()));
    }
}

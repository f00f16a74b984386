//! What a soak is held to: that nothing grows, and that a budget is kept.

use std::fmt::Write as _;

use super::Row;

/// The run that the last is held against, counted from 1.
const THIRD: usize = 3;
/// How much more may be held after the last run, as a share of what was held after the third.
const GROWTH: f64 = 0.05;
/// What a run may take beside budget, results and the program itself: values on wires, a file's pages on their way into
/// weights, tokenizers, and what the allocator keeps.
pub const ALLOWANCE: u64 = 96 << 20;

/// What the anonymous memory of a process may come to, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Weights and scratch, as the ledger was told.
    pub budget: u64,
    /// What is there beside it: the program before its first run, results, and an allowance.
    pub beside: u64,
    /// By how many bytes a process may grow whatever its size, for those so small that heaps of threads are a large share.
    pub grace: u64,
}

/// Lists everything that should not be, a sentence each.
#[must_use]
pub fn complaints(rows: &[Row], bounds: Bounds) -> Vec<String> {
    let mut found = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let run = i + 1;
        if row.ended.0 != row.wanted {
            let words = [" ", &row.ended.1].concat();
            found.push(format!("run {run} ({}) ended as {:?}, not as {:?}{words}", row.what, row.ended.0, row.wanted));
        }
        let most = bounds.budget + bounds.beside;
        if row.peak_anonymous > most {
            let (peak, most) = (mb(row.peak_anonymous), mb(most));
            found.push(format!("run {run} ({}) held {peak} MB of anonymous memory, and {most} are allowed", row.what));
        }
        if row.booked > bounds.budget {
            found.push(format!("run {run} ({}) left {} MB in the ledger, above its budget", row.what, mb(row.booked)));
        }
    }
    if let (Some(third), Some(last)) = (rows.get(THIRD - 1), rows.last()) {
        let (then, now) = (third.after.all() as f64, last.after.all() as f64);
        if now > then * (1.0 + GROWTH) + bounds.grace as f64 {
            let grown = 100.0 * (now / then - 1.0);
            found.push(format!("after the last run {grown:.1} % more is held than after the third"));
        }
    }
    found
}

/// Writes what was measured as a table in Markdown.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let head =
        ["run", "what", "ended", "s", "anonymous MB", "mapped MB", "in all MB", "peak anonymous MB", "booked MB"];
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for (i, row) in rows.iter().enumerate() {
        let Row { what, ended: (ended, _), seconds, after, peak_anonymous, booked, .. } = row;
        let [anonymous, mapped, all, peak, booked] =
            [after.anonymous, after.mapped, after.all(), *peak_anonymous, *booked].map(mb);
        let run = i + 1;
        writeln!(
            text,
            "| {run} | {what} | {ended:?} | {seconds:.2} | {anonymous} | {mapped} | {all} | {peak} | {booked} |"
        )
        .expect("a text takes all that is written to it");
    }
    text
}

fn mb(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_core::process::Held;

    use crate::soak::Ending;

    const BOUNDS: Bounds = Bounds { budget: 100_000_000, beside: 50_000_000, grace: 0 };

    fn row(mapped: u64, peak_anonymous: u64) -> Row {
        Row {
            what: "dusk",
            wanted: Ending::Picture,
            ended: (Ending::Picture, String::new()),
            seconds: 1.0,
            after: Held { anonymous: 100_000_000, mapped },
            peak_anonymous,
            booked: 90_000_000,
        }
    }

    #[test]
    fn what_grows_by_more_than_a_twentieth_since_the_third_run_is_told() {
        let rows = |last| [9_000_000, 500_000_000, 0, 600_000_000, last].map(|mapped| row(mapped, 1));
        assert_eq!(complaints(&rows(4_900_000), BOUNDS), [""; 0]);
        assert!(complaints(&rows(5_100_000), BOUNDS)[0].contains("5.1 % more is held"));
        let graceful = Bounds { grace: 1_000_000, ..BOUNDS };
        assert_eq!(complaints(&rows(5_900_000), graceful), [""; 0]);
        assert_eq!(complaints(&rows(6_100_000), graceful).len(), 1);
    }

    #[test]
    fn a_budget_that_was_exceeded_for_a_moment_is_told() {
        assert_eq!(complaints(&[row(0, 150_000_000)], BOUNDS), [""; 0]);
        let told = complaints(&[row(0, 1), row(0, 150_000_001)], BOUNDS);
        assert_eq!(told, ["run 2 (dusk) held 150.0 MB of anonymous memory, and 150.0 are allowed"]);
        let told = complaints(&[Row { booked: 100_000_001, ..row(0, 1) }], BOUNDS);
        assert!(told[0].contains("above its budget"), "{told:?}");
    }

    #[test]
    fn a_run_that_ends_otherwise_than_wanted_is_told_in_its_words() {
        let ended = (Ending::Fault, "no room".to_owned());
        let told = complaints(&[Row { ended, ..row(0, 1) }], BOUNDS);
        assert_eq!(told, ["run 1 (dusk) ended as Fault, not as Picture no room"]);
    }

    #[test]
    fn a_table_has_a_line_for_each_run() {
        let text = table(&[row(5_000_000, 120_000_000), row(0, 1)]);
        assert_eq!(text.lines().count(), 4);
        assert!(text.contains("| 1 | dusk | Picture | 1.00 | 100.0 | 5.0 | 105.0 | 120.0 | 90.0 |"), "{text}");
    }
}

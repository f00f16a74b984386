//! Times and sizes as a person reads them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the seconds since 1970.
pub fn now() -> u64 {
    seconds_of(SystemTime::now())
}

/// Returns a time as seconds since 1970; 0 for what lies before.
pub fn seconds_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Says how long ago something was.
pub fn ago(at: u64, now: u64) -> String {
    match now.saturating_sub(at) {
        0..=59 => "just now".to_owned(),
        since @ 60..3600 => format!("{} min ago", since / 60),
        since @ 3600..86_400 => format!("{} h ago", since / 3600),
        since => match since / 86_400 {
            1 => "a day ago".to_owned(),
            days @ 2..100 => format!("{days} days ago"),
            _ => date(at).split(' ').next().unwrap_or_default().to_owned(),
        },
    }
}

/// Writes a time as date and time of day, UTC.
pub fn date(at: u64) -> String {
    // Civil from days, after Howard Hinnant, "chrono-compatible low-level date algorithms".
    let days = (at / 86_400) as i64 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (at % 86_400 / 3600, at % 3600 / 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Writes seconds: `0.4 s`, `12 s`, `2 min 5 s`.
pub fn lasted(seconds: f64) -> String {
    match seconds {
        short if short < 10.0 => format!("{short:.1} s"),
        short if short < 60.0 => format!("{short:.0} s"),
        long => format!("{:.0} min {:.0} s", (long / 60.0).floor(), long % 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_dates_and_distances() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_795_288_500), "2026-11-21 19:15 UTC");
        let words: Vec<_> = [5, 90, 7300, 86_400, 864_000].map(|by| ago(1_000_000_000 - by, 1_000_000_000)).into();
        assert_eq!(words, ["just now", "1 min ago", "2 h ago", "a day ago", "10 days ago"]);
        assert_eq!([0.44, 12.4, 125.0].map(lasted), ["0.4 s", "12 s", "2 min 5 s"]);
    }
}

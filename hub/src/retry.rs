//! When to try again: exponential waits with a cap and jitter, what the server asks for, and a budget for all of it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often and how long failures are waited out.
#[derive(Debug, Clone)]
pub struct Retry {
    /// Attempts in a row that bring nothing, the first one included.
    pub attempts: u32,
    /// The first wait.
    pub first: Duration,
    /// The longest wait that is not asked for by the server.
    pub longest: Duration,
    /// All waits for one file, or one answer, together.
    pub budget: Duration,
    /// Where the jitter begins; two clients with the same seed wait alike.
    pub seed: u64,
}

impl Default for Retry {
    fn default() -> Self {
        // Clients that failed together must not come back together; a thread's name and the time are enough for that.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = u64::from(std::process::id()) << 32 ^ u64::from(now.subsec_nanos());
        let [first, longest, budget] = [500, 30_000, 300_000].map(Duration::from_millis);
        Self { attempts: 6, first, longest, budget, seed }
    }
}

/// Time that passes, or seems to.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the seconds since 1970.
    fn unix_seconds(&self) -> u64;
    /// Waits, with a look at `is_over` at least every 50 ms.
    fn wait(&self, time: Duration, is_over: &dyn Fn() -> bool);
}

/// The clock on the wall.
#[derive(Debug, Clone, Copy)]
pub struct WallClock;

impl Clock for WallClock {
    fn unix_seconds(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    fn wait(&self, time: Duration, is_over: &dyn Fn() -> bool) {
        let end = std::time::Instant::now() + time;
        while !is_over() {
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(crate::stop::LOOK));
        }
    }
}

/// The attempts at one thing.
#[derive(Debug)]
pub(crate) struct Attempts<'r> {
    retry: &'r Retry,
    failed: u32,
    waited: Duration,
    random: u64,
}

impl<'r> Attempts<'r> {
    /// Begins. Things with different numbers wait differently.
    pub fn new(retry: &'r Retry, number: u64) -> Self {
        Self {
            retry,
            failed: 0,
            waited: Duration::ZERO,
            random: retry.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        }
    }

    /// An attempt brought something; failures are counted anew. The budget is not given back.
    pub fn gained(&mut self) {
        self.failed = 0;
    }

    /// Counts a failure; returns how long to wait before the next attempt, or why there is none.
    pub fn failed(&mut self, asked: Option<Duration>) -> Result<Duration, String> {
        self.failed += 1;
        if self.failed >= self.retry.attempts {
            let attempts = if self.failed == 1 { "attempt" } else { "attempts" };
            return Err(format!("{} {attempts} failed", self.failed));
        }
        let wait = asked.unwrap_or_else(|| self.jittered());
        if self.waited + wait > self.retry.budget {
            let (secs, budget) = (wait.as_secs(), self.retry.budget.as_secs());
            return Err(format!("another wait of {secs} s would exceed the {budget} s that waits may take"));
        }
        self.waited += wait;
        Ok(wait)
    }

    /// From half of the exponential wait to all of it.
    fn jittered(&mut self) -> Duration {
        let doubled = self.retry.first.saturating_mul(1 << (self.failed - 1).min(20));
        let part = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        doubled.min(self.retry.longest).mul_f64(0.5 + 0.5 * part)
    }

    /// splitmix64 (Steele, Lea and Flood 2014).
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Reads a `Retry-After`: seconds, or a date as `Wed, 21 Oct 2015 07:28:00 GMT`.
pub(crate) fn retry_after(value: &str, now_unix: u64) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = unix_from_date(value.trim())?;
    Some(Duration::from_secs(at.saturating_sub(now_unix)))
}

fn unix_from_date(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<_> = rest.split([' ', ':']).collect();
    let [day, month, year, hour, minute, second, "GMT"] = parts[..] else { return None };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| *name == month)? as u64;
    let [day, year, hour, minute, second] = [day, year, hour, minute, second].map(|part| part.parse::<u64>().ok());
    let (day, year) = (day.filter(|day| (1..=31).contains(day))?, year.filter(|year| (1970..10_000).contains(year))?);
    // Days since 1970 in a year that begins in March, so that the leap day is its last (Hinnant, "chrono-compatible dates").
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let clock = hour? * 3600 + minute? * 60 + second?;
    (days * 86_400 + clock).checked_sub(719_468 * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry() -> Retry {
        let [first, longest, budget] = [100, 1000, 10_000].map(Duration::from_millis);
        Retry { attempts: 8, first, longest, budget, seed: 7 }
    }

    #[test]
    fn row_53_waits_double_up_to_a_cap_with_jitter() {
        let retry = retry();
        let waits = |number| {
            let mut attempts = Attempts::new(&retry, number);
            (0..7).map(|_| attempts.failed(None).expect("one more").as_millis()).collect::<Vec<_>>()
        };
        let first = waits(1);
        for (wait, full) in first.iter().zip([100, 200, 400, 800, 1000, 1000, 1000]) {
            assert!((full / 2..=full).contains(wait), "{first:?}");
        }
        assert_eq!(first, waits(1), "the same seed waits alike");
        assert_ne!(first, waits(2), "another thing waits differently");
    }

    #[test]
    fn row_53_attempts_and_waits_are_bounded() {
        let retry = retry();
        let mut attempts = Attempts::new(&retry, 0);
        assert!((0..7).all(|_| attempts.failed(None).is_ok()) && attempts.failed(None).is_err());
        let mut attempts = Attempts::new(&retry, 0);
        assert_eq!(attempts.failed(Some(Duration::from_secs(6))), Ok(Duration::from_secs(6)));
        attempts.gained();
        let why = attempts.failed(Some(Duration::from_secs(6))).expect_err("12 s are more than 10 s");
        assert!(why.contains("10 s"), "{why}");
    }

    #[test]
    fn row_53_retry_after_is_seconds_or_a_date() {
        let read = |text| retry_after(text, 1_445_412_400).map(|wait| wait.as_secs());
        assert_eq!(read(" 17 "), Some(17));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), Some(80), "1445412480 is that second");
        assert_eq!(read("Wed, 21 Oct 2015 07:20:00 GMT"), Some(0), "a date that is over is now");
        assert_eq!(retry_after("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800), Some(Duration::ZERO));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:10 GMT", 0), Some(Duration::from_secs(10)));
        for bad in ["", "-1", "soon", "Wed, 21 Oct 2015", "Wed, 21 Foo 2015 07:28:00 GMT", "Wed, 0 Jan 0 0:0:0 GMT"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

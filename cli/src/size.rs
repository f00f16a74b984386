//! Sizes of memory and disk as a person types them: `512M`, `8G`, `1.5G`, `2GiB`, and parts of all there is: `80%`. A letter
//! counts in powers of 1024.

use std::fmt;

use darkroom_core::residency::gibibytes;

/// An amount of memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// Bytes.
    Bytes(u64),
    /// Hundredths of all there is.
    Percent(f64),
}

impl Amount {
    /// Returns the bytes of it, where there are so many in all.
    pub fn of(self, all: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => (all as f64 * percent / 100.0) as u64,
        }
    }
}

/// Writes `8.0 GiB` or `80 %`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.write_str(&gibibytes(*bytes)),
            Self::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

/// Reads an amount of memory: a size, or a part of all there is.
///
/// # Errors
/// One sentence for the command line.
pub fn parse_amount(text: &str) -> Result<Amount, String> {
    let wrong = || {
        format!(
            "`{text}` is no amount of memory; write bytes, a number with K, M, G or T, or a part of all there is, as 8G or 80%"
        )
    };
    let Some(number) = text.trim().strip_suffix('%') else {
        return parse(text).map(Amount::Bytes).map_err(|_| wrong());
    };
    let percent: Option<f64> = number.trim_end().parse().ok();
    percent.filter(|percent| (0.0..=100.0).contains(percent)).map(Amount::Percent).ok_or_else(wrong)
}

/// Reads a size in bytes.
///
/// # Errors
/// One sentence for the command line.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size; write bytes, or a number with K, M, G or T, as 8G");
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim().to_ascii_uppercase();
    let letter = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
    let power = match letter {
        "" if !unit.starts_with('I') => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => return Err(wrong()),
    };
    let bytes = number * 1024_f64.powi(power);
    // 2^63: far above any machine, and exact as f64.
    if bytes <= 9_223_372_036_854_775_808.0 { Ok(bytes as u64) } else { Err(wrong()) }
}

/// Reads width and height, as `1280x800`.
///
/// # Errors
/// One sentence for the command line.
#[cfg(feature = "editor")]
pub fn parse_edges(text: &str) -> Result<(f32, f32), String> {
    let edge = |text: &str| text.trim().parse().ok().filter(|edge| (320.0..=8192.0).contains(edge));
    let pair = text.split_once(['x', '×']).and_then(|(width, height)| Some((edge(width)?, edge(height)?)));
    pair.ok_or_else(|| format!("`{text}` is not the size of a window; write it as 1280x800, from 320 to 8192"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("512M", 512 << 20),
            ("8G", 8 << 30),
            ("1.5k", 1536),
            ("2GiB", 2 << 30),
            ("3 mb", 3 << 20),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "-1", "8Q", "1e9", "8GG", "nan", "inf", "99999999T", "iB", "1.2.3"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_amount_is_a_size_or_a_part() {
        assert_eq!(parse_amount("4GB"), Ok(Amount::Bytes(4 << 30)));
        assert_eq!(parse_amount("3.5 GiB"), Ok(Amount::Bytes(7 << 29)));
        assert_eq!(parse_amount(" 12.5 % ").map(|amount| amount.of(800)), Ok(100));
        for text in ["80 percent", "101%", "-1%", "nan%", "%", "8GG", ""] {
            let why = parse_amount(text).expect_err(text);
            assert!(why.contains("as 8G or 80%"), "{why}");
        }
        assert_eq!(
            [Amount::Bytes(7 << 29), Amount::Percent(80.0)].map(|amount| amount.to_string()),
            ["3.5 GiB", "80 %"]
        );
    }
}

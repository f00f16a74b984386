//! Sigmas that someone wrote down.

use super::Unsupported;

/// Most sigmas of a list.
const MOST: usize = 10_000;

/// Reads numbers separated by commas or blanks, such as `14.6, 7.1, 2.9, 0`; whether they make a schedule is checked
/// where one is made of them.
pub fn sigmas_from_text(text: &str) -> Result<Vec<f64>, Unsupported> {
    let words: Vec<&str> =
        text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
    if words.len() > MOST {
        return Err(Unsupported::number("sigmas", words.len() as f64, format!("at most {MOST} numbers")));
    }
    let number = |word: &&str| word.parse::<f64>().ok().filter(|sigma| sigma.is_finite());
    let read =
        |word: &&str| number(word).ok_or_else(|| Unsupported::word("sigmas", word, ["numbers such as 14.6, 7.1, 0"]));
    words.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_with_commas_and_without() {
        assert_eq!(sigmas_from_text("14.6, 7.1 ,3\n0"), Ok(vec![14.6, 7.1, 3.0, 0.0]));
        assert_eq!(sigmas_from_text("1 0.5 0,"), Ok(vec![1.0, 0.5, 0.0]));
    }

    #[test]
    fn what_is_no_number_is_named() {
        for text in ["14.6, x", "1, nan", "inf 0", "1e999"] {
            let fault = sigmas_from_text(text).unwrap_err().to_string();
            assert!(fault.starts_with("`sigmas` is `"), "{fault}");
        }
    }
}

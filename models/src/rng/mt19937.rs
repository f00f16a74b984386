//! The Mersenne Twister MT19937, a stream of 32-bit words.
//!
//! Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998. Its 2.5 kB of state follow from the seed and
//! the number of words drawn, so that is all that is stored.

use serde::{Deserialize, Serialize};

/// Words of state.
const SIZE: usize = 624;
/// Distance of the word that is mixed in.
const SHIFT: usize = 397;

/// A Mersenne Twister that knows how far it has been read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Position", into = "Position")]
pub struct Mt19937 {
    words: Box<[u32; SIZE]>,
    next: usize,
    position: Position,
}

/// What a twister follows from.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Position {
    seed: u32,
    drawn: u64,
}

impl Mt19937 {
    /// Starts at the first word of a seed.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        let mut words = Box::new([seed; SIZE]);
        for i in 1..SIZE {
            let before = words[i - 1];
            let mixed = (before ^ (before >> 30)).wrapping_mul(1_812_433_253);
            words[i] = mixed.wrapping_add(i as u32);
        }
        Self { words, next: SIZE, position: Position { seed, drawn: 0 } }
    }

    /// Returns how many words were drawn or skipped since the seed.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        self.position.drawn
    }

    /// Draws the next word.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == SIZE {
            self.twist();
        }
        let mut word = self.words[self.next];
        self.next += 1;
        self.position.drawn += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9D2C_5680;
        word ^= (word << 15) & 0xEFC6_0000;
        word ^ (word >> 18)
    }

    /// Draws two words; the first is the high half.
    pub fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        (high << 32) | u64::from(self.next_u32())
    }

    /// Passes over words; about a nanosecond each.
    pub fn skip(&mut self, words: u64) {
        self.position.drawn += words;
        let mut left = words;
        while left > 0 {
            if self.next == SIZE {
                self.twist();
            }
            let here = left.min((SIZE - self.next) as u64);
            self.next += here as usize;
            left -= here;
        }
    }

    fn twist(&mut self) {
        for i in 0..SIZE {
            let joined = (self.words[i] & 0x8000_0000) | (self.words[(i + 1) % SIZE] & 0x7FFF_FFFF);
            let odd = if joined & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.words[i] = self.words[(i + SHIFT) % SIZE] ^ (joined >> 1) ^ odd;
        }
        self.next = 0;
    }
}

impl From<Position> for Mt19937 {
    fn from(position: Position) -> Self {
        let mut twister = Self::new(position.seed);
        twister.skip(position.drawn);
        twister
    }
}

impl From<Mt19937> for Position {
    fn from(twister: Mt19937) -> Self {
        twister.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_the_published_ones() {
        // C++ demands of std::mt19937, seeded with 5489, that its 10 000th word is this ([rand.predef]).
        let mut twister = Mt19937::new(5489);
        twister.skip(9_999);
        assert_eq!(twister.next_u32(), 4_123_659_995);
        assert_eq!(Mt19937::new(5489).next_u32(), 3_499_211_612);
    }

    #[test]
    fn skipping_is_drawing() {
        for words in [0, 1, 623, 624, 625, 2000] {
            let (mut drawn, mut skipped) = (Mt19937::new(7), Mt19937::new(7));
            (0..words).for_each(|_| _ = drawn.next_u32());
            skipped.skip(words);
            assert_eq!(drawn.next_u32(), skipped.next_u32(), "after {words} words");
        }
    }

    #[test]
    fn a_stored_twister_goes_on_where_it_was() {
        let mut twister = Mt19937::new(42);
        twister.skip(1_000);
        let text = serde_json::to_string(&twister).unwrap();
        assert_eq!(text, r#"{"seed":42,"drawn":1000}"#);
        let mut resumed: Mt19937 = serde_json::from_str(&text).unwrap();
        assert_eq!(resumed.next_u64(), twister.next_u64());
    }
}

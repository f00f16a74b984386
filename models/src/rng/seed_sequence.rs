//! `numpy.random.SeedSequence`: one number and a place in a tree become words that look like chance.
//!
//! O'Neill, "Developing a seed_seq Alternative", 2015: every word of the seed is mixed into every word of a pool, and
//! the pool is read round and round. The constants and the order are part of what is promised there.

use std::num::Wrapping;

type Word = Wrapping<u32>;

/// A number that multiplies itself on after every use.
struct Chain {
    at: Word,
    by: Word,
}

/// Words in which every bit of a seed has had its say.
#[derive(Clone, Debug)]
pub struct SeedSequence {
    pool: Vec<Word>,
}

impl SeedSequence {
    /// Mixes a seed, and where in a tree its child stands, into a pool of `size` words. An empty place is the root.
    #[must_use]
    pub fn new(seed: u64, place: &[u64], size: usize) -> Self {
        let mut words = words_of(seed);
        if !place.is_empty() {
            // A child of a short seed must not be the root of a longer one.
            words.resize(words.len().max(size), Wrapping(0));
        }
        words.extend(place.iter().copied().flat_map(words_of));
        let mut chain = Chain { at: Wrapping(0x43B0_D7E5), by: Wrapping(0x931E_8875) };
        let first = (0..size).map(|i| chain.hash(words.get(i).copied().unwrap_or_default()));
        let mut pool: Vec<Word> = first.collect();
        for from in 0..size {
            for to in (0..size).filter(|to| *to != from) {
                pool[to] = mix(pool[to], chain.hash(pool[from]));
            }
        }
        for word in words.into_iter().skip(size) {
            pool.iter_mut().for_each(|kept| *kept = mix(*kept, chain.hash(word)));
        }
        Self { pool }
    }

    /// Returns the first words of the sequence.
    #[must_use]
    pub fn words<const N: usize>(&self) -> [u32; N] {
        let mut chain = Chain { at: Wrapping(0x8B51_F9DD), by: Wrapping(0x58F3_8DED) };
        std::array::from_fn(|i| chain.hash(self.pool[i % self.pool.len()]).0)
    }
}

impl Chain {
    fn hash(&mut self, word: Word) -> Word {
        let word = word ^ self.at;
        self.at *= self.by;
        folded(word * self.at)
    }
}

fn mix(a: Word, b: Word) -> Word {
    folded(a * Wrapping(0xCA01_F9DD) - b * Wrapping(0x4973_F715))
}

fn folded(word: Word) -> Word {
    word ^ (word >> 16)
}

/// The words of a number, the low one first; there is at least one.
fn words_of(number: u64) -> Vec<Word> {
    let (low, high) = (Wrapping(number as u32), Wrapping((number >> 32) as u32));
    if high.0 == 0 { vec![low] } else { vec![low, high] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_numpys() {
        // numpy 2.4.6: SeedSequence(seed, spawn_key=place, pool_size=size).generate_state(4)
        let known: [(u64, &[u64], usize, [u32; 4]); 5] = [
            (0, &[], 4, [2_968_811_710, 3_677_149_159, 745_650_761, 2_884_920_346]),
            (7, &[], 24, [1_376_543_887, 623_213_690, 436_845_524, 1_186_459_840]),
            (7, &[0, 0], 24, [261_727_054, 4_049_524_988, 713_223_535, 2_355_642_301]),
            (u64::MAX, &[5, 3], 24, [206_752_380, 1_890_374_860, 654_320_852, 1_710_134_239]),
            (12_345_678_901_234, &[8_589_934_593, 33], 24, [3_646_982_242, 550_826_131, 1_060_645_604, 626_076_229]),
        ];
        for (seed, place, size, wanted) in known {
            assert_eq!(SeedSequence::new(seed, place, size).words(), wanted, "{seed} at {place:?}");
        }
    }
}

//! What the processor can do, found out once at run time.

use std::fmt;
use std::sync::OnceLock;

/// A set of instructions that kernels are written for; each holds what those before it hold.
///
/// Whoever has one may use its instructions: the functions below hand out no tier that the processor lacks, and other
/// crates cannot make one up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// What the compiler makes of plain loops: SSE2, NEON.
    #[non_exhaustive]
    Portable,
    /// AVX2 with FMA and F16C.
    #[non_exhaustive]
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    #[non_exhaustive]
    Avx512,
    /// The same with products of bytes (VNNI).
    #[non_exhaustive]
    Avx512Vnni,
    /// The same with products of pairs of bf16.
    #[non_exhaustive]
    Avx512Bf16,
}

/// The environment variable that hides what a processor has: one of the names of [`Tier`].
pub const MASK: &str = "DARKROOM_CPU";

/// A name in [`MASK`] that no [`Tier`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTier(String);

impl Tier {
    const ALL: [Tier; 5] = [Tier::Portable, Tier::Avx2, Tier::Avx512, Tier::Avx512Vnni, Tier::Avx512Bf16];

    /// Returns what [`Tier::from_mask`] found when it was first asked; a name that no tier has hides nothing. Whoever
    /// talks to people asks there first, and says so.
    pub fn chosen() -> Tier {
        static CHOSEN: OnceLock<Tier> = OnceLock::new();
        *CHOSEN.get_or_init(|| Tier::from_mask().unwrap_or(Tier::best()))
    }

    /// Returns the best tier that this processor has and that [`MASK`] allows, if it is set.
    ///
    /// # Errors
    /// It is set to what is no tier's name.
    pub fn from_mask() -> Result<Tier, UnknownTier> {
        let Some(name) = std::env::var_os(MASK).filter(|name| !name.is_empty()) else { return Ok(Tier::best()) };
        let name = name.to_string_lossy();
        Tier::named(&name).map(|allowed| allowed.min(Tier::best())).ok_or_else(|| UnknownTier(name.into_owned()))
    }

    /// Returns the best tier of this processor.
    #[cfg(target_arch = "x86_64")]
    pub fn best() -> Tier {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2") && has!("fma") && has!("f16c");
        let avx512 = avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
        let vnni = avx512 && has!("avx512vnni");
        match (avx2, avx512, vnni, vnni && has!("avx512bf16")) {
            (.., true) => Tier::Avx512Bf16,
            (_, _, true, _) => Tier::Avx512Vnni,
            (_, true, ..) => Tier::Avx512,
            (true, ..) => Tier::Avx2,
            _ => Tier::Portable,
        }
    }

    /// Returns the best tier of this processor.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn best() -> Tier {
        Tier::Portable
    }

    /// Lists the tiers that this processor has and that [`MASK`] allows, the plainest first.
    pub fn available() -> impl Iterator<Item = Tier> {
        Self::ALL.into_iter().filter(|tier| *tier <= Tier::chosen())
    }

    fn named(name: &str) -> Option<Tier> {
        Self::ALL.into_iter().find(|tier| tier.name() == name)
    }

    /// Returns the name that [`MASK`] takes.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Portable => "portable",
            Tier::Avx2 => "avx2",
            Tier::Avx512 => "avx512",
            Tier::Avx512Vnni => "avx512vnni",
            Tier::Avx512Bf16 => "avx512bf16",
        }
    }

    /// Tells whether products of bf16 are native.
    pub fn has_bf16(self) -> bool {
        self >= Tier::Avx512Bf16
    }

    /// Tells whether products of bytes are native.
    pub fn has_bytes(self) -> bool {
        self >= Tier::Avx512Vnni
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for UnknownTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{MASK}` is `{}`, which names no set of instructions", self.0)
    }
}

impl std::error::Error for UnknownTier {}

impl UnknownTier {
    /// Returns the way out.
    pub fn hint(&self) -> String {
        let names = Tier::ALL.map(|tier| format!("`{}`", tier.name()));
        let (last, others) = names.split_last().expect("there are tiers");
        format!("set it to {} or {last}, or not at all", others.join(", "))
    }
}

/// Defines a function of a tier and some slices whose plain loops are compiled once for each tier.
///
/// The results are the same in every tier: the compiler is not allowed to fuse or to reorder sums, only to do several
/// places at a time.
macro_rules! tiered {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name(tier: $crate::Tier, $($arg: $kind),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, reason = "a loop over slices names each of them")]
            fn plain($($arg: $kind),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx512($($arg: $kind),*) { plain($($arg),*) }
                #[target_feature(enable = "avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx2($($arg: $kind),*) { plain($($arg),*) }
                if tier >= $crate::Tier::Avx512 {
                    // SAFETY: a tier is only ever one that the processor has; no other crate can make one up.
                    return unsafe { avx512($($arg),*) };
                }
                if tier >= $crate::Tier::Avx2 {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            let _ = tier;
            plain($($arg),*)
        }
    };
}
pub(crate) use tiered;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tier_has_a_name_and_the_chosen_one_is_there() {
        for tier in Tier::ALL {
            assert_eq!(Tier::named(tier.name()), Some(tier));
        }
        assert!(Tier::available().any(|tier| tier == Tier::chosen()));
    }
}

//! What became of sizes with which a run cannot fit.

/// What became of sizes with which a run cannot fit, where the graph allows to lower them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SafeMode {
    /// It fits, or the graph allows nothing.
    #[default]
    Unneeded,
    /// They were lowered, as "safe mode: 1536×1024 → 1216×832" says of each.
    Lowered(Vec<String>),
    /// There is none that could be lowered so far that it fits.
    Helpless,
}

impl SafeMode {
    /// Returns what is to be told of lowered sizes, a line each.
    pub fn told(&self) -> &[String] {
        match self {
            Self::Lowered(told) => told,
            Self::Unneeded | Self::Helpless => &[],
        }
    }
}

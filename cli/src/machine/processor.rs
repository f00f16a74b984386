//! The processor: its name, its cores, and which instructions the kernels use.

use std::path::Path;

use darkroom_kernels::Tier;

use super::System;

/// The processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    /// What its maker calls it, where the system tells.
    pub name: Option<String>,
    /// Cores that the system sees, counting threads of cores apart.
    pub cores: Option<usize>,
    /// Cores that this program may use.
    pub usable: usize,
    /// The best instructions that it has of those that kernels are written for.
    pub best: Tier,
}

impl Processor {
    /// Asks the system.
    pub fn of(system: &System) -> Self {
        let told = system.text(Path::new("/proc/cpuinfo")).unwrap_or_default();
        let lines =
            || told.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key.trim(), value.trim()));
        let value = |name: &str| {
            lines().find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value.to_owned())
        };
        let cores = lines().filter(|(key, _)| *key == "processor").count();
        Self {
            // On ARM, some kernels name the board alone.
            name: value("model name").or_else(|| value("Model")),
            cores: Some(cores).filter(|cores| *cores > 0),
            usable: std::thread::available_parallelism().map_or(1, usize::from),
            best: Tier::best(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::testing::system;

    #[test]
    fn name_and_cores_are_read() {
        let told = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: a b\n\nprocessor\t: 1\nmodel name\t: AMD EPYC\n";
        let processor = Processor::of(&system(&[("/proc/cpuinfo", told)]).system);
        assert_eq!((processor.name.as_deref(), processor.cores), (Some("AMD EPYC"), Some(2)));
        let board = "processor\t: 0\nCPU part\t: 0xd0b\n\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n";
        let processor = Processor::of(&system(&[("/proc/cpuinfo", board)]).system);
        assert_eq!(processor.name.as_deref(), Some("Raspberry Pi 5 Model B Rev 1.0"));
    }

    #[test]
    fn a_system_that_tells_nothing_has_a_processor_all_the_same() {
        let processor = Processor::of(&system(&[("/proc/cpuinfo", "processor\nmodel name :\n")]).system);
        assert_eq!((processor.name, processor.cores), (None, None));
        assert!(processor.usable >= 1);
    }
}

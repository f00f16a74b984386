//! Models: which there are, and those that can be fetched.

use std::path::Path;

use darkroom_core::fault::Fault;
use darkroom_core::observe::Cancel;
use darkroom_core::spec::FileSort;

use super::Ticket;

/// A model that a graph can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// What a graph calls it.
    pub name: String,
    /// What it is; none if nobody can tell.
    pub sort: Option<FileSort>,
    /// What it goes with, as `SDXL`.
    pub family: Option<String>,
    /// The number format of its weights, as `F16`.
    pub precision: Option<String>,
    /// Its size on the disk.
    pub bytes: u64,
    /// Bytes of memory that the largest of its parts takes, as plans count them: parts need not be there together.
    pub needs: Option<u64>,
    /// Why it cannot be read.
    pub fault: Option<String>,
}

/// Something that is being fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulling {
    /// What it was asked for by.
    pub ticket: Ticket,
    /// What a graph calls it.
    pub name: String,
    /// Bytes that are here.
    pub done: u64,
    /// Bytes in all; 0 as long as nobody knows.
    pub of: u64,
    /// Bytes a second, lately.
    pub rate: f64,
}

/// Knows models. It is asked on threads of its own, and may take its time.
pub trait Store: Send + Sync {
    /// Lists the models that a workflow can name, whose file lies here. Nothing is read but headers.
    ///
    /// # Errors
    /// A fault of a folder.
    fn list(&self, workflow: Option<&Path>) -> Result<Vec<Model>, Fault>;

    /// Tells whether what has this name can be fetched.
    fn can_pull(&self, name: &str) -> bool;

    /// Fetches something, and tells bytes that are here, bytes in all and bytes a second on the way.
    ///
    /// # Errors
    /// A fault of the name, of the way there, or of the disk; the stop.
    fn pull(&self, name: &str, watch: &(dyn Fn(u64, u64, f64) + Sync), cancel: &Cancel) -> Result<(), Fault>;
}

/// Knows no models.
pub struct Nothing;

impl Store for Nothing {
    fn list(&self, _: Option<&Path>) -> Result<Vec<Model>, Fault> {
        Ok(Vec::new())
    }

    fn can_pull(&self, _: &str) -> bool {
        false
    }

    fn pull(&self, name: &str, _: &(dyn Fn(u64, u64, f64) + Sync), _: &Cancel) -> Result<(), Fault> {
        Err(Fault::file(format!("`{name}` cannot be fetched here")))
    }
}

/// Writes a number of bytes as people read it: `4.3 GB`, in powers of 1000 as the hub does.
pub fn bytes_for_people(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let power = (bytes as f64).log(1000.0).floor().clamp(1.0, units.len() as f64);
    format!("{:.1} {}", bytes as f64 / 1000_f64.powf(power), units[power as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::bytes_for_people;

    #[test]
    fn bytes_are_told_in_units_of_people() {
        let told = [999, 1000, 6_938_040_682, 12_000_000_000].map(bytes_for_people);
        assert_eq!(told, ["999 B", "1.0 kB", "6.9 GB", "12.0 GB"]);
    }
}

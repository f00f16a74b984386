//! Published files that are known without asking: so that what a workflow lacks, and how large it is, can be told on a
//! machine that never saw the hub. Size and SHA-256 are those of the hub's own pages at these commits.

use crate::address::Address;
use crate::listing::{Listing, Remote};

/// A file of a repository at a commit, which `main` was at.
struct Known {
    repo: &'static str,
    commit: &'static str,
    file: &'static str,
    bytes: u64,
    sha256: &'static str,
}

const KNOWN: [Known; 2] = [
    Known {
        repo: "stabilityai/stable-diffusion-xl-base-1.0",
        commit: "462165984030d82259a11f4367a4eed129e94a7b",
        file: "sd_xl_base_1.0.safetensors",
        bytes: 6_938_078_334,
        sha256: "31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
    },
    Known {
        repo: "stabilityai/stable-diffusion-xl-refiner-1.0",
        commit: "5d4cfe854c9a9a87939ff3653551c2b3c99a4356",
        file: "sd_xl_refiner_1.0.safetensors",
        bytes: 6_075_981_930,
        sha256: "7440042bbdc8a24813002c09b6b69b64dc90fded4472613437b7f55f9b7d9c5f",
    },
];

/// Returns what is known of the one file that an address names, at the revision that it names.
pub(crate) fn listing(address: &Address) -> Option<Listing> {
    let is_meant = |known: &&Known| {
        let at = address.revision() == "main" || address.revision() == known.commit;
        known.repo == address.repo() && Some(known.file) == address.file() && at
    };
    let Known { commit, file, bytes, sha256, .. } = KNOWN.iter().find(is_meant)?;
    let remote = Remote { path: (*file).to_owned(), size: Some(*bytes), hash: Some((*sha256).to_owned()) };
    Some(Listing { commit: (*commit).to_owned(), files: vec![remote] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_file_is_told_at_its_revision_alone() {
        let told = |address: &str| listing(&address.parse().expect("an address")).map(|listing| listing.files[0].size);
        let base = "hub://stabilityai/stable-diffusion-xl-base-1.0";
        assert_eq!(told(&format!("{base}/sd_xl_base_1.0.safetensors")), Some(Some(6_938_078_334)));
        assert_eq!(told(&format!("{base}/unet/config.json")), None);
        assert_eq!(told(base), None);
        assert_eq!(told(&format!("{base}@fp16/sd_xl_base_1.0.safetensors")), None);
    }
}

//! What this process knows of the folder: to count bytes and to find who goes first. Whether an entry is there, the
//! folder alone says, so books that are behind cost room or a miss, never a wrong result.

use super::disk::Disk;
use super::folder::{Folder, Found, files_in};
use super::worth::{Item, Shelf};
use crate::fingerprint::Fingerprint;

/// What this process knows of the folder.
pub(super) struct Books {
    pub shelf: Shelf<()>,
    /// Bytes of checkpoints and of the quarantine.
    pub beside: u64,
    /// Bytes for which there is room, but which are not written yet.
    pub reserved: u64,
    /// Bytes written since the folder was last looked at; `None` before the first look.
    since_look: Option<u64>,
    /// Uses of entries, by all processes together as far as this one knows.
    pub clock: u64,
}

impl Books {
    /// Begins with nothing but the clock; the first look comes when bytes are counted.
    pub fn new(clock: u64) -> Self {
        Self { shelf: Shelf::default(), beside: 0, reserved: 0, since_look: None, clock }
    }

    pub fn used(&self) -> u64 {
        self.shelf.bytes() + self.beside + self.reserved
    }

    pub fn reserve<'a>(&mut self, disk: &'a Disk, bytes: u64, target: u64) -> Option<Room<'a>> {
        (self.used() <= target).then(|| {
            self.reserved += bytes;
            Room { disk, bytes }
        })
    }

    pub fn insert(&mut self, recipe: Fingerprint, item: Item<()>) {
        self.since_look = self.since_look.map(|bytes| bytes.saturating_add(item.bytes));
        self.shelf.insert(recipe, item);
    }

    /// Looks at the folder if that was never done, or so long ago that other processes may have written much.
    pub fn look_again(&mut self, folder: &Folder, budget: u64) {
        if self.since_look.is_none_or(|bytes| bytes > budget / 16) {
            self.look(folder);
        }
    }

    pub fn look(&mut self, folder: &Folder) {
        self.shelf = Shelf::default();
        for (recipe, Found { bytes, rank, .. }) in folder.unsorted_entries() {
            self.shelf.insert(recipe, Item { bytes, rank, content: () });
            // Another process may be ahead, or the file of the clock may be lost.
            self.clock = self.clock.max(u64::try_from(rank).unwrap_or(0));
        }
        self.count_beside(folder);
        self.since_look = Some(0);
    }

    pub fn count_beside(&mut self, folder: &Folder) {
        let files = ["checkpoints", "quarantine"].into_iter().flat_map(|name| files_in(&folder.at(name)));
        self.beside = files.map(|found| found.bytes).sum();
    }
}

/// Room for a file that is being written.
pub(super) struct Room<'a> {
    disk: &'a Disk,
    bytes: u64,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.disk.books().reserved -= self.bytes;
    }
}

//! The hub as others see it: look, fetch, find.

use std::path::PathBuf;

use crate::address::Address;
use crate::cache::Folder;
use crate::fault::{HubFault, Offline};
use crate::http::Client;
use crate::plan::Plan;
use crate::progress::{Event, Watch};
use crate::pull;
use crate::reach::{self, Reach};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::tuning::Tuning;

/// The hub, and the cache.
#[derive(Debug, Clone)]
pub struct Hub {
    settings: Settings,
    tuning: Tuning,
}

impl Hub {
    /// Takes the settings; connects to nothing.
    pub fn new(settings: Settings) -> Self {
        Self { settings, tuning: Tuning::default() }
    }

    /// Goes about pulls in another way.
    #[must_use]
    pub fn with(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Looks up what a pull would fetch. Only the small index of a pipeline is fetched for it. Without the network it tells
    /// what is remembered: where the hub cannot be reached, only of what is all here.
    ///
    /// # Errors
    /// A fault of the hub or of the way there; the stop.
    pub fn plan(&self, address: &Address, watch: &dyn Watch) -> Result<Plan, HubFault> {
        let folder = Folder::of(&self.settings.cache, address);
        if self.settings.offline {
            return pull::find(&folder, address, Offline::Forbidden);
        }
        self.watched(watch, |client| self.look(client, &folder, address, watch))
    }

    /// Fetches what is missing; the plan that comes back lacks nothing. A pull that was cut off goes on where it was.
    ///
    /// # Errors
    /// A fault of the hub, the way there, the cache or the disk; a list of what is missing, if the network may not be used;
    /// the stop.
    pub fn pull(&self, address: &Address, watch: &dyn Watch) -> Result<Plan, HubFault> {
        let folder = Folder::of(&self.settings.cache, address);
        if self.settings.offline {
            let plan = pull::find(&folder, address, Offline::Forbidden)?;
            return pull::lacking(&plan, Offline::Forbidden).map(|()| plan);
        }
        self.watched(watch, |client| {
            let plan = self.look(client, &folder, address, watch)?;
            pull::fetch(client, &folder, &plan, watch)?;
            folder.set_commit(address, &plan.commit)?;
            let remotes = plan.remotes();
            Ok(Plan::new(address, &plan.commit, &folder, &remotes))
        })
    }

    /// Makes sure that the disk has room for what several pulls would fetch together, and for what is left alone.
    ///
    /// # Errors
    /// [`HubFault::Space`].
    pub fn check_space(&self, plans: &[Plan]) -> Result<(), HubFault> {
        pull::check_space(&self.tuning, &self.settings.cache, plans.iter().map(Plan::bytes_to_fetch).sum())
    }

    /// Asks whether the hub can be reached, whatever is said of the network; that takes ten seconds at most.
    ///
    /// # Errors
    /// A fault of the settings.
    pub fn reach(&self) -> Result<Reach, HubFault> {
        reach::reach(&self.settings, &self.tuning)
    }

    /// Finds what an address names in the cache, without the network: the file, or the folder of the snapshot.
    ///
    /// # Errors
    /// A list of what is missing, if not all of it is there.
    pub fn find(&self, address: &Address) -> Result<PathBuf, HubFault> {
        let why = if self.settings.offline { Offline::Forbidden } else { Offline::NotAsked };
        let plan = pull::find(&Folder::of(&self.settings.cache, address), address, why)?;
        pull::lacking(&plan, why).map(|()| plan.path)
    }

    /// Asks the hub; where it cannot be reached and all is here, what it last said holds.
    fn look(&self, client: &Client, folder: &Folder, address: &Address, watch: &dyn Watch) -> Result<Plan, HubFault> {
        let here = pull::find(folder, address, Offline::NotAsked).ok();
        let Some(here) = here.filter(|plan| plan.missing().next().is_none()) else {
            return pull::look(client, folder, address, watch);
        };
        let hurried = Client::new(&self.settings, &self.tuning.hurried(), &client.stop)?;
        match pull::look(&hurried, folder, address, watch) {
            Err(HubFault::GaveUp { why, .. }) => {
                watch.see(&Event::Unreachable { why: &why, commit: &here.commit });
                Ok(here)
            }
            looked => looked,
        }
    }

    /// Does something while another thread looks whether it should stop.
    fn watched<T>(&self, watch: &dyn Watch, deed: impl FnOnce(&Client) -> Result<T, HubFault>) -> Result<T, HubFault> {
        let stop = Stop::default();
        let client = Client::new(&self.settings, &self.tuning, &stop)?;
        stop.follow(watch, || deed(&client))
    }
}

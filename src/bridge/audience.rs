//! Who gets what is said in a room.

use super::{Bridge, work::Scene};
use crate::{connector::Connector, ids::RemoteUserId, store::Membership};
use ruma::{OwnedUserId, UserId};
use std::{collections::BTreeMap, sync::Arc};

/// The people of one network who are served together.
pub(super) struct Audience {
    pub connector: &'static str,
    pub port: Arc<dyn Connector>,
    /// All of them, in the order of their addresses.
    pub ghosts: Vec<(OwnedUserId, RemoteUserId)>,
}

impl Audience {
    pub(super) fn remotes(&self) -> Vec<RemoteUserId> {
        self.ghosts.iter().map(|(_, remote)| remote.clone()).collect()
    }

    /// The largest sum of attachments that all of them can get.
    pub(super) fn attachment_bytes(&self) -> u64 {
        self.ghosts.iter().map(|(_, remote)| self.port.attachment_bytes(remote)).min().unwrap_or_default()
    }

    /// Those who get something now: all, or only this one.
    pub(super) fn recipients(&self, only: Option<&UserId>) -> impl Iterator<Item = &(OwnedUserId, RemoteUserId)> {
        self.ghosts.iter().filter(move |(ghost, _)| only.is_none_or(|only| ghost == only))
    }
}

impl Bridge {
    /// The ghosts that are served together, by network.
    pub(super) fn audiences(&self, scene: &Scene<'_>) -> Vec<Audience> {
        let mut audiences: BTreeMap<&'static str, Vec<_>> = BTreeMap::new();
        let rooms = self.remote_rooms_in(scene.portal);
        for (user, member) in &scene.portal.members {
            let gets_it = match scene.passing_on {
                // Who is still on the way in reads back what staff said meanwhile, and nothing else.
                Some(passing_on) => !passing_on.served.contains(user),
                None => member.membership == Membership::Join || scene.only == Some(user),
            };
            if !gets_it {
                continue;
            }
            if let Some((connector, remote)) = self.remote_of(user)
                && !self.is_served(&rooms, connector, &remote)
            {
                audiences.entry(connector).or_default().push((user.clone(), remote));
            }
        }
        audiences.values_mut().for_each(|ghosts| ghosts.sort_by(|a, b| a.1.cmp(&b.1)));
        let with_port =
            |(connector, ghosts)| Some(Audience { connector, port: self.connectors.get(connector)?.clone(), ghosts });
        audiences.into_iter().filter_map(with_port).collect()
    }
}

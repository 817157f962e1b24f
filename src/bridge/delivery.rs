//! From a message of staff to the deliveries that it needs.

use super::{Bridge, event::Event};
use crate::{
    ids::{DeliveryId, LocalUser, RemoteUserId, SourceId},
    matrix::format::Written,
    message::{Delivery, Thread, Writer},
    store::{Membership, NewRow, Portal, now},
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The payload of an outbox row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outgoing {
    pub event: OwnedEventId,
    pub room: OwnedRoomId,
    pub ghost: OwnedUserId,
    pub delivery: Delivery,
}

/// What the writer is called in the room.
pub(super) fn writer_name<'a>(event: &'a Event<'_>, portal: &'a Portal) -> &'a str {
    let name = portal.members.get(&event.sender).and_then(|member| member.name.as_deref());
    name.unwrap_or_else(|| event.sender.localpart())
}

impl Bridge {
    /// One row for each ghost that has joined; `only`: for that ghost alone, joined or not.
    pub(super) fn deliveries(
        &self,
        event: &Event<'_>,
        portal: &Portal,
        written: &Written,
        only: Option<&UserId>,
    ) -> Vec<NewRow> {
        let writer =
            Writer { user: LocalUser::new(event.sender.localpart()), name: writer_name(event, portal).to_owned() };
        let mut rows = Vec::new();
        for (connector, ghosts) in self.audiences(portal, only) {
            let audience: Vec<RemoteUserId> = ghosts.iter().map(|(_, remote)| remote.clone()).collect();
            let id = DeliveryId::random();
            for (ghost, remote) in ghosts.iter().filter(|(ghost, _)| only.is_none_or(|only| ghost == only)) {
                let delivery = Delivery {
                    id: id.clone(),
                    writer: writer.clone(),
                    to: remote.clone(),
                    audience: audience.clone(),
                    copies: Vec::new(),
                    quote: None,
                    reaction: None,
                    thread: Thread { subject: portal.name.clone(), ..Thread::default() },
                    body: written.body.clone(),
                    attachments: written.attachments.clone(),
                    written_at: event.at,
                };
                let outgoing =
                    Outgoing { event: event.id.clone(), room: event.room.clone(), ghost: ghost.clone(), delivery };
                rows.push(NewRow {
                    kind: "delivery",
                    connector: connector.to_owned(),
                    lane: format!("{connector} {} {remote}", event.room),
                    source: SourceId::new(format!("{} {ghost}", event.id)),
                    target: remote.as_str().to_owned(),
                    room: Some(event.room.clone()),
                    payload: serde_json::to_vec(&outgoing).unwrap_or_default(),
                    due_at: now(),
                });
            }
        }
        rows
    }

    /// The ghosts that are served together: by network, in the order of their addresses.
    fn audiences(
        &self,
        portal: &Portal,
        also: Option<&UserId>,
    ) -> BTreeMap<&'static str, Vec<(OwnedUserId, RemoteUserId)>> {
        let mut audiences: BTreeMap<&'static str, Vec<_>> = BTreeMap::new();
        for (user, member) in &portal.members {
            if member.membership != Membership::Join && also != Some(user) {
                continue;
            }
            if let Some((connector, remote)) = self.remote_of(user) {
                audiences.entry(connector).or_default().push((user.clone(), remote));
            }
        }
        audiences.values_mut().for_each(|ghosts| ghosts.sort_by(|a, b| a.1.cmp(&b.1)));
        audiences
    }

    /// Whom a ghost stands for; `None` for everybody else, and for a ghost that could stand for nobody.
    pub(super) fn remote_of(&self, user: &UserId) -> Option<(&'static str, RemoteUserId)> {
        let (name, address) = self.ghosts.parse(user)?;
        let remote = self.connectors.get(name)?.parse_address(&address)?;
        // Each remote user has one ghost: a second spelling of an address is nobody's.
        (self.ghosts.ghost(name, &remote)?.as_str() == user.as_str()).then_some((name, remote))
    }
}

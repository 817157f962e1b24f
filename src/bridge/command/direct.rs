//! A conversation with somebody outside, for who has typed an address.

use super::{Asked, Language, Network, texts};
use crate::{
    bridge::{Bridge, Level, Text},
    failure::Failure,
    ids::RemoteUserId,
    store::{Membership, Row},
};
use ruma::RoomId;

impl Bridge {
    /// Leads to the one direct room with whoever has this address, and makes it if there is none.
    pub(super) async fn converse(
        &self,
        row: &Row,
        asked: &Asked,
        language: Language,
        network: Option<&str>,
        address: &str,
    ) -> Result<String, Failure> {
        let networks = self.networks();
        let fitting = self.who(&networks, network, address);
        let (connector, person) = match fitting.as_slice() {
            [(network, person)] => (network.name, person),
            [] => return Ok(self.nobody(&networks, network, address, language)),
            several => {
                let networks: Vec<Network> = several.iter().map(|(network, _)| *network).collect();
                return Ok(texts::which_network(language, address, &networks));
            }
        };
        let Some(ghost) = self.ghosts.ghost(connector, person) else {
            return Ok(texts::not_an_address(language, address, &networks));
        };
        let mut tx = self.store.begin().await?;
        let known = tx.direct_room(&asked.user, &ghost).await?;
        if let Some(known) = known {
            drop(tx);
            if row.attempts > 1 && known.staff == Some(Membership::Invite) {
                self.bring_to_chat(&known.room, &asked.user, &ghost).await?;
            }
            if !known.is_in_use() {
                self.homeserver.intent(&ghost).invite_to_chat(&known.room, &asked.user).await?;
                self.expect(&known.room, &asked.user).await?;
            }
            return Ok(texts::conversation_known(language, person.address(), &self.link(&known.room)));
        }
        if !self.permissions.may_write(&asked.user, &self.ghosts.server) {
            return Ok(language.say(self.why_not_begin(&asked.user)));
        }
        // An earlier attempt may have counted it.
        let once = format!("conversation {}", row.source);
        if tx.first_seen(std::slice::from_ref(&once)).await?.contains(&once)
            && let Some(reached) = self.count_conversation(&mut tx, &asked.user).await?
        {
            return Ok(language.say(&Text::TooMuch(crate::bridge::limit::Deed::Conversation, reached)));
        }
        tx.commit().await?;
        self.ensure_ghost(connector, person).await?;
        let room = self.new_direct_room(&asked.user, &ghost, row.attempts > 1).await?;
        Ok(texts::conversation_ready(language, person.address(), &self.link(&room)))
    }

    /// Whom an address may mean. One that several networks could have is meant for the one that people think of first.
    fn who(&self, networks: &[Network], wanted: Option<&str>, address: &str) -> Vec<(Network, RemoteUserId)> {
        let parse = |network: &Network| Some((*network, self.connectors.get(network.name)?.parse_address(address)?));
        let fitting = networks.iter().filter(|network| wanted.is_none_or(|name| network.name == name));
        let fitting: Vec<_> = fitting.filter_map(parse).filter(|(_, person)| !person.is_unverified()).collect();
        match fitting.iter().find(|(network, _)| network.spoken.first) {
            Some(first) => vec![first.clone()],
            None => fitting,
        }
    }

    /// The answer when nobody can have such an address.
    fn nobody(&self, networks: &[Network], wanted: Option<&str>, text: &str, language: Language) -> String {
        let looks_like_one = text.contains('@') || text.starts_with(|c: char| c == '+' || c.is_ascii_digit());
        match wanted {
            None if !looks_like_one => self.not_understood(language),
            None => texts::not_an_address(language, text, networks),
            Some(name) => {
                let network: Vec<Network> = networks.iter().filter(|it| it.name == name).copied().collect();
                texts::not_an_address(language, text, &network)
            }
        }
    }

    /// Why somebody may not bring people outside into a conversation.
    pub(in crate::bridge) fn why_not_begin(&self, user: &ruma::UserId) -> &'static Text<'static> {
        if self.permissions.level(user) == Level::Answer { &Text::NotAllowedToBegin } else { &Text::NotAllowedToInvite }
    }

    /// How a client finds a room.
    pub(in crate::bridge) fn link(&self, room: &RoomId) -> String {
        room.matrix_to_uri_via([self.ghosts.server.clone()]).to_string()
    }
}

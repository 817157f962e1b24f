//! The portal of a remote room, for who has typed its address.

use super::{Asked, Language, texts};
use crate::{
    bridge::{Bridge, Location, Text, limit::Deed},
    failure::Failure,
    store::Row,
};

impl Bridge {
    /// How the address of a remote room looks, should a network have any.
    pub(super) fn room_example(&self) -> Option<&str> {
        self.networks.values().find_map(|network| network.room).map(|field| field.example)
    }

    /// Leads to the one portal of a remote room, and makes it if there is none.
    pub(super) async fn remote_room(
        &self,
        row: &Row,
        asked: &Asked,
        language: Language,
        address: &str,
    ) -> Result<String, Failure> {
        let example = self.room_example().unwrap_or_default();
        let Some(location) = self.connectors.keys().find_map(|connector| self.location(connector, address)) else {
            return Ok(texts::room_missing(language, example));
        };
        let (user, server) = (&asked.user, &self.ghosts.server);
        if let Some((room, ghost)) = self.portal_of(&location).await? {
            if !self.permissions.may_answer_in(&room, user, server) {
                return Ok(language.say(&Text::NotAllowedToWrite));
            }
            self.homeserver.intent(&ghost).invite(&room, user).await?;
            self.expect(&room, user).await?;
            return Ok(texts::room_known(language, location.room.as_str(), &self.link(&room)));
        }
        if !self.permissions.may_write(user, server) {
            return Ok(language.say(self.why_not_begin(user)));
        }
        self.pair_for(row, asked, language, &location).await
    }

    async fn pair_for(
        &self,
        row: &Row,
        asked: &Asked,
        language: Language,
        location: &Location,
    ) -> Result<String, Failure> {
        let profile = self.connector(location.connector)?.room(&location.room).await?;
        let (Some(profile), Some(ghost)) = (profile, self.room_ghost(location.connector, &location.room)) else {
            return Ok(language.say(&Text::NoSuchRoom));
        };
        // An earlier attempt may have counted it.
        let once = format!("conversation {}", row.source);
        let mut tx = self.store.begin().await?;
        if tx.first_seen(std::slice::from_ref(&once)).await?.contains(&once)
            && let Some(reached) = self.count_conversation(&mut tx, &asked.user).await?
        {
            return Ok(language.say(&Text::TooMuch(Deed::Conversation, reached)));
        }
        tx.commit().await?;
        let room = self.pair(location, &ghost, &profile, Some(&asked.user)).await?;
        Ok(texts::room_ready(language, location.room.as_str(), &self.link(&room)))
    }
}

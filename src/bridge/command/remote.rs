//! The portal of a remote room, for who has typed its address.

use super::{Asked, Language, texts};
use crate::{
    bridge::{Bridge, Location, Text, limit::Deed, notice::txn_id},
    failure::Failure,
    ids::{Password, SourceId},
    matrix::Error,
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
        password: Option<&str>,
    ) -> Result<String, Failure> {
        let password = password.map(Password::new);
        let example = self.room_example().unwrap_or_default();
        let Some(location) = self.connectors.keys().find_map(|connector| self.location(connector, address)) else {
            return Ok(texts::room_missing(language, example));
        };
        let (user, server) = (&asked.user, &self.ghosts.server);
        if let Some((room, ghost)) = self.portal_of(&location).await? {
            if !self.permissions.may_answer_in(&room, user, server) {
                return Ok(language.say(&Text::NotAllowedToWrite));
            }
            if let Some(password) = password.filter(|_| self.permissions.may_begin_in(&room, user, server)) {
                self.note_password(&location, &password).await?;
            }
            self.homeserver.intent(&ghost).invite(&room, user).await?;
            self.expect(&room, user).await?;
            return Ok(texts::room_known(language, location.room.as_str(), &self.link(&room)));
        }
        if !self.permissions.may_write(user, server) {
            return Ok(language.say(self.why_not_begin(user)));
        }
        self.pair_for(row, asked, language, &location, password).await
    }

    async fn pair_for(
        &self,
        row: &Row,
        asked: &Asked,
        language: Language,
        location: &Location,
        password: Option<Password>,
    ) -> Result<String, Failure> {
        let profile = self.connector(location.connector)?.room(&location.room).await?;
        let (Some(profile), Some(ghost)) = (profile, self.room_ghost(location.connector, &location.room)) else {
            return Ok(language.say(&Text::NoSuchRoom));
        };
        if profile.needs_password && password.is_none() {
            return Ok(texts::room_needs_password(language, location.room.as_str()));
        }
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
        if let Some(password) = password {
            self.note_password(location, &password).await?;
        }
        Ok(texts::room_ready(language, location.room.as_str(), &self.link(&room)))
    }

    async fn note_password(&self, location: &Location, password: &Password) -> Result<(), Failure> {
        let mut tx = self.store.begin().await?;
        tx.set_room_password(location.connector, &location.room, password).await?;
        tx.commit().await?;
        self.connector(location.connector)?.attendance_changed();
        Ok(())
    }

    /// Deletes the message in which somebody has written a password, where that may be: what is to be said of it.
    pub(super) async fn forget_password(&self, asked: &Asked, language: Language) -> Result<String, Failure> {
        let bot = self.homeserver.intent(&self.bot);
        let txn = txn_id(&SourceId::new(format!("password {}", asked.event)), &self.bot, 0);
        match bot.redact(&asked.room, &asked.event, &txn).await {
            Err(Error::Refused { status: 403 | 404, .. }) => Ok(texts::password_remains(language)),
            result => Ok(result.map(|_| texts::password_gone(language))?),
        }
    }
}

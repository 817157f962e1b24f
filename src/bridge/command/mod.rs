//! The bot. Whoever is alone with it in a room gets an answer to everything they write there. Nobody needs it for daily
//! work: it begins conversations for clients that cannot, and says what has not arrived.

mod direct;
mod read;
mod remote;
mod room;
mod status;
mod texts;

pub(super) use room::{Asked, Welcome};

use super::{Bridge, Language, Level, Text, notice::txn_id};
use crate::{
    connector::Spoken,
    failure::Failure,
    matrix::{Error, NewRoom, announcement},
    store::{Row, now},
};
use read::Request;
use room::What;
use ruma::{OwnedRoomId, RoomId, UserId};

/// A network, as people speak of it.
#[derive(Clone, Copy, Debug)]
struct Network {
    name: &'static str,
    spoken: Spoken,
}

impl Network {
    /// What to type, with an address that fits.
    fn example(&self) -> String {
        format!("{} {}", self.spoken.words.first().unwrap_or(&self.name), self.spoken.example).trim_end().to_owned()
    }
}

impl Bridge {
    fn networks(&self) -> Vec<Network> {
        self.connectors.iter().map(|(name, port)| Network { name, spoken: port.spoken() }).collect()
    }

    /// Answers what somebody has written to the bot.
    pub(super) async fn answer(&self, row: &Row, asked: &Asked) -> Result<(), Failure> {
        let bot = self.homeserver.intent(&self.bot);
        let members = match bot.joined(&asked.room).await {
            // The bot was sent away meanwhile.
            Err(Error::Refused { status: 403 | 404, .. }) => return Ok(()),
            result => result?,
        };
        let language = self.language_of(&asked.user).await?;
        // What one member of staff may know is not for the others.
        if members.iter().any(|user| *user != self.bot && *user != asked.user) {
            return self.leave_saying(row, &asked.room, &language.say(&Text::BotOnlyAlone)).await;
        }
        let text = match &asked.what {
            _ if self.permissions.level(&asked.user) < Level::Read => language.say(&Text::NotAllowedToUse),
            What::Encrypted => language.say(&Text::BotEncrypted),
            What::Other => self.not_understood(language),
            What::Words(words) => match self.reply(row, asked, language, words).await {
                Err(failure) if failure.is_permanent() => {
                    tracing::warn!(row = row.id, reason = %failure.reason, detail = failure.detail, "the bot cannot do this");
                    texts::failed(language, failure.reason)
                }
                result => result?,
            },
        };
        self.say_as_bot(row, &asked.room, &text).await
    }

    async fn reply(&self, row: &Row, asked: &Asked, language: Language, words: &str) -> Result<String, Failure> {
        let networks = self.networks();
        match read::read(words, &networks) {
            Request::Help => Ok(texts::help(language, &networks, self.room_example())),
            Request::Status => self.status(&asked.user, language).await,
            Request::Language(wanted) => match wanted.and_then(Language::named) {
                Some(chosen) => {
                    self.store.choose_language(&asked.user, chosen.name()).await?;
                    Ok(texts::language_chosen(chosen))
                }
                None => Ok(texts::which_language(language)),
            },
            Request::Room { address, password } => {
                let said = self.remote_room(row, asked, language, address, password).await?;
                Ok(match password {
                    Some(_) => format!("{said} {}", self.forget_password(asked, language).await?),
                    None => said,
                })
            }
            Request::Write { network, address } => self.converse(row, asked, language, network, address).await,
        }
    }

    fn not_understood(&self, language: Language) -> String {
        texts::not_understood(language, &self.networks(), self.room_example())
    }

    async fn say_as_bot(&self, row: &Row, room: &RoomId, text: &str) -> Result<(), Failure> {
        let txn = txn_id(&row.source, &self.bot, 0);
        match self.homeserver.intent(&self.bot).send_message(room, &txn, &announcement(text)).await {
            Err(Error::Refused { status: 403 | 404, .. }) => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }

    /// Says something to one member of staff where nobody else reads it: where they talk with the bot, else in a room to
    /// which it invites them.
    pub(super) async fn tell_alone(&self, row: &Row, user: &UserId, text: &str) -> Result<(), Failure> {
        let room = match self.store.management_room_of(user).await? {
            Some(room) => room,
            None => self.room_to_tell(row, user).await?,
        };
        self.say_as_bot(row, &room, text).await
    }

    async fn room_to_tell(&self, row: &Row, user: &UserId) -> Result<OwnedRoomId, Failure> {
        let bot = self.homeserver.intent(&self.bot);
        let made_for = format!("talk {user}");
        let made = if row.attempts > 1 { bot.room_made_for(&made_for).await? } else { None };
        let room = match made {
            Some(room) => room,
            None => {
                let invite = vec![user.to_owned()];
                let (name, topic, marks) = (None, None, Vec::new());
                bot.create_room(&NewRoom { made_for, is_direct: true, name, topic, invite, marks }).await?
            }
        };
        let mut tx = self.store.begin().await?;
        tx.open_management_room(&room, user).await?;
        // Everything in it is for the bot.
        tx.begin_reading_as_bot(&room, "", now()).await?;
        tx.commit().await?;
        Ok(room)
    }

    async fn leave_saying(&self, row: &Row, room: &RoomId, text: &str) -> Result<(), Failure> {
        self.say_as_bot(row, room, text).await?;
        match self.homeserver.intent(&self.bot).leave(room, text).await {
            Err(Error::Refused { status: 403 | 404, .. }) => {}
            result => result?,
        }
        let mut tx = self.store.begin().await?;
        tx.close_management_room(room).await?;
        Ok(tx.commit().await?)
    }
}

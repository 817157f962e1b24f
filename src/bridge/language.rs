//! In which language people are told something.

use super::{Bridge, Language};
use crate::{failure::Failure, matrix::Intent};
use ruma::{EventId, OwnedUserId, RoomId, UserId};
use std::collections::{BTreeMap, BTreeSet};

impl Bridge {
    /// What somebody has chosen, else what is configured.
    pub(super) async fn language_of(&self, user: &UserId) -> Result<Language, Failure> {
        Ok(self.chosen(self.store.language_of(user).await?.as_deref()))
    }

    fn chosen(&self, name: Option<&str>) -> Language {
        name.and_then(Language::named).unwrap_or(self.language)
    }

    /// The language of a room: that of its staff, if they agree; else that of whoever wrote the event which it is
    /// about; else what is configured. `reader`: one of us who is in the room.
    pub(super) async fn language_in(
        &self,
        room: &RoomId,
        reader: &Intent<'_>,
        about: Option<&EventId>,
    ) -> Result<Language, Failure> {
        let members = self.store.languages_in(room).await?;
        let staff: BTreeMap<OwnedUserId, Language> = members
            .into_iter()
            .filter(|(user, _)| !self.is_ours(user))
            .map(|(user, name)| (user, self.chosen(name.as_deref())))
            .collect();
        let languages: BTreeSet<Language> = staff.values().copied().collect();
        match (languages.len(), languages.first(), about) {
            (1, Some(language), _) => Ok(*language),
            (2.., _, Some(event)) => {
                let event = reader.event(room, event).await?;
                let writer = event.and_then(|event| event.get_field::<OwnedUserId>("sender").ok().flatten());
                Ok(writer.and_then(|writer| staff.get(&writer).copied()).unwrap_or(self.language))
            }
            _ => Ok(self.language),
        }
    }
}

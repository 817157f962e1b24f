//! What of somebody's messages waits or has failed, for each conversation, in plain words.

use super::Language;
use crate::{
    bridge::{Bridge, draft::lane, hold},
    failure::{Failure, Reason},
    ids::DeliveryId,
    store::{Partner, Standing, now},
};
use ruma::{OwnedRoomId, RoomId, UserId};
use std::collections::BTreeSet;

/// More conversations than this are only counted.
const SHOWN: usize = 20;
/// What came back longer ago is no news.
const RETURNED_WITHIN_MS: i64 = 7 * 86_400_000;

/// What has not arrived in one conversation.
#[derive(Debug, Default)]
struct Conversation {
    room: Option<OwnedRoomId>,
    name: String,
    waiting: BTreeSet<DeliveryId>,
    /// Why, and when it is tried again; `None` as long as nothing has failed.
    trouble: Option<(Reason, i64)>,
    dead: BTreeSet<DeliveryId>,
    dead_because: Option<Reason>,
    returned: usize,
}

impl Conversation {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.dead.is_empty() && self.returned == 0
    }

    fn take(&mut self, delivery: DeliveryId, standing: &Standing) {
        let reason = standing.last_error.as_deref().map(|error| Reason::read(error).unwrap_or(Reason::Internal));
        if standing.dead {
            self.dead_because = reason.or(self.dead_because);
            self.dead.insert(delivery);
            return;
        }
        self.waiting.insert(delivery);
        if let Some(reason) = reason {
            let sooner = self.trouble.is_none_or(|(_, due_at)| standing.due_at < due_at);
            if sooner {
                self.trouble = Some((reason, standing.due_at));
            }
        }
    }

    fn lines(&self, language: Language, now: i64) -> Vec<String> {
        let reason = |reason: Reason| language.look_up(&format!("reason-{}", reason.key()), &[]);
        let say = |key: &str, count: usize, values: &[(&'static str, &str)]| {
            let many = count.to_string();
            let key = if count == 1 { format!("{key}-one") } else { format!("{key}-many") };
            language.look_up(&key, &[&[("count", many.as_str())], values].concat())
        };
        let mut lines = Vec::new();
        match (self.waiting.len(), self.trouble) {
            (0, _) => {}
            (count, None) => lines.push(say("status-soon", count, &[])),
            (count, Some((why, due_at))) => {
                let values = [("reason", &*reason(why)), ("when", &*when(language, due_at - now))];
                lines.push(say("status-waiting", count, &values));
            }
        }
        if !self.dead.is_empty() {
            let why = reason(self.dead_because.unwrap_or(Reason::Internal));
            lines.push(say("status-failed", self.dead.len(), &[("reason", &why)]));
        }
        if self.returned > 0 {
            lines.push(say("status-returned", self.returned, &[]));
        }
        lines
    }
}

/// `wait`: in milliseconds.
fn when(language: Language, wait: i64) -> String {
    let minutes = wait / 60_000 + i64::from(wait % 60_000 > 30_000);
    match minutes {
        ..=1 => language.look_up("when-soon", &[]),
        2..=90 => language.look_up("when-minutes", &[("count", &minutes.to_string())]),
        _ => language.look_up("when-hours", &[("count", &((minutes + 30) / 60).to_string())]),
    }
}

impl Bridge {
    pub(super) async fn status(&self, user: &UserId, language: Language) -> Result<String, Failure> {
        let partners = self.store.partners(user).await?;
        let mut conversations = conversations(&partners);
        let lanes: Vec<String> = partners.iter().map(|it| lane(&it.connector, &it.room, &it.remote_user)).collect();
        for (place, standing) in self.store.standing(&lanes).await? {
            let (Ok(outgoing), Some(partner)) = (hold::read(&standing.payload), partners.get(place)) else { continue };
            if outgoing.delivery.writer.user.as_str() == user.localpart()
                && let Some(conversation) = find(&mut conversations, &partner.room)
            {
                conversation.take(outgoing.delivery.id, &standing);
            }
        }
        let rooms: BTreeSet<&RoomId> = partners.iter().map(|partner| &*partner.room).collect();
        let rooms: Vec<&RoomId> = rooms.into_iter().collect();
        for (room, _) in self.store.returned(&rooms, now() - RETURNED_WITHIN_MS).await? {
            if let Some(conversation) = find(&mut conversations, &room) {
                conversation.returned += 1;
            }
        }
        conversations.retain(|conversation| !conversation.is_empty());
        Ok(self.tell(&conversations, language))
    }

    fn tell(&self, conversations: &[Conversation], language: Language) -> String {
        if conversations.is_empty() {
            return language.look_up("status-nothing", &[]);
        }
        let mut lines = Vec::new();
        for conversation in conversations.iter().take(SHOWN) {
            let link = conversation.room.as_deref().map(|room| self.link(room)).unwrap_or_default();
            lines.push(language.look_up("status-conversation", &[("name", &conversation.name), ("link", &link)]));
            lines.extend(conversation.lines(language, now()).into_iter().map(|line| format!("• {line}")));
        }
        if let Some(more) = conversations.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            lines.push(language.look_up("status-more", &[("count", &more.to_string())]));
        }
        lines.join("\n")
    }
}

/// One for each room, named as people call it. `partners`: those of one room stand together.
fn conversations(partners: &[Partner]) -> Vec<Conversation> {
    let rooms = partners.chunk_by(|a, b| a.room == b.room);
    let conversation = |partners: &[Partner]| {
        let first = partners.first();
        let names: Vec<&str> = partners.iter().map(|partner| partner.name.as_str()).collect();
        let name = first.and_then(|it| it.room_name.clone()).unwrap_or_else(|| names.join(", "));
        Conversation { room: first.map(|it| it.room.clone()), name, ..Conversation::default() }
    };
    rooms.map(conversation).collect()
}

fn find<'c>(conversations: &'c mut [Conversation], room: &RoomId) -> Option<&'c mut Conversation> {
    conversations.iter_mut().find(|conversation| conversation.room.as_deref() == Some(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(error: Option<&str>, dead: bool, due_at: i64) -> Standing {
        Standing { dead, due_at, last_error: error.map(str::to_owned), payload: Vec::new() }
    }

    fn id(text: &str) -> DeliveryId {
        DeliveryId::new(text)
    }

    fn lines(conversation: &Conversation) -> Vec<String> {
        conversation.lines(Language::De, 0)
    }

    #[test]
    fn a_message_to_several_people_is_one_message() {
        let mut it = Conversation::default();
        it.take(id("a"), &standing(None, false, 0));
        it.take(id("a"), &standing(None, false, 0));
        assert_eq!(lines(&it), ["1 Nachricht ist unterwegs."]);
        it.take(id("b"), &standing(None, false, 0));
        assert_eq!(lines(&it), ["2 Nachrichten sind unterwegs."]);
    }

    #[test]
    fn what_waits_says_why_and_for_how_long() {
        let mut it = Conversation::default();
        it.take(id("a"), &standing(Some("unreachable: no route"), false, 20 * 60_000));
        it.take(id("b"), &standing(None, false, 0));
        let said = "2 Nachrichten warten: Die Gegenseite ist nicht erreichbar. Nächster Versuch in 20 Minuten.";
        assert_eq!(lines(&it), [said]);
    }

    #[test]
    fn what_was_given_up_and_what_came_back_is_told() {
        let mut it = Conversation::default();
        it.take(id("a"), &standing(Some("mailbox-full: 5.2.2"), true, 0));
        it.returned = 2;
        let said = ["1 Nachricht wurde nicht zugestellt: Das Postfach ist voll.", "2 Nachrichten kamen zurück."];
        assert_eq!(lines(&it), said);
    }

    #[test]
    fn times_are_rounded_as_people_say_them() {
        let say = |minutes: i64| when(Language::De, minutes * 60_000);
        assert_eq!([-5, 0, 1].map(say), ["gleich", "gleich", "gleich"]);
        assert_eq!([2, 90, 100, 120].map(say), ["in 2 Minuten", "in 90 Minuten", "in 2 Stunden", "in 2 Stunden"]);
    }
}

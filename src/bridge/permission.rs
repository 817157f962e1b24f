//! Who may write to people outside.

use ruma::{OwnedRoomId, OwnedUserId, RoomId, ServerName, UserId};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What somebody may do; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    None,
    /// See what arrives.
    Read,
    /// Write where people outside are already: answer them, and go on with what a colleague has begun.
    Answer,
    /// Begin conversations with people outside.
    Write,
    /// All of it, without limits.
    Admin,
}

/// Levels by `@user:server`, by server, and `*` for everybody else; the most exact one counts. And by `!room`: in that
/// room nobody may do more than it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Level>")]
pub struct Permissions {
    people: BTreeMap<String, Level>,
    rooms: BTreeMap<OwnedRoomId, Level>,
}

impl TryFrom<BTreeMap<String, Level>> for Permissions {
    type Error = String;

    fn try_from(rules: BTreeMap<String, Level>) -> Result<Self, String> {
        let mut permissions = Self::default();
        for (key, level) in rules {
            match key.chars().next() {
                Some('!') => {
                    let room = RoomId::parse(&key).ok().filter(|room| room.as_str().len() > 1);
                    let room = room.ok_or_else(|| format!("{key:?} is not the id of a room"))?;
                    permissions.rooms.insert(room, level);
                    continue;
                }
                Some('@') => drop(OwnedUserId::try_from(&*key).map_err(|e| format!("{key:?} is not a user id: {e}"))?),
                _ if key == "*" => {}
                _ => drop(
                    <&ServerName>::try_from(&*key)
                        .map_err(|_| format!("{key:?} is neither @user:server nor a server nor !room nor *"))?,
                ),
            }
            permissions.people.insert(key, level);
        }
        Ok(permissions)
    }
}

impl Permissions {
    pub fn level(&self, user: &UserId) -> Level {
        let by = |key: &str| self.people.get(key).copied();
        by(user.as_str()).or_else(|| by(user.server_name().as_str())).or_else(|| by("*")).unwrap_or(Level::None)
    }

    /// Only members of our own homeserver can write: the address that people see is made from the localpart, and a
    /// localpart of another server would be somebody else's.
    pub fn may_write(&self, user: &UserId, server: &ServerName) -> bool {
        self.is_at_least(Level::Write, user, server)
    }

    /// Whether somebody may bring people outside into this room.
    pub fn may_begin_in(&self, room: &RoomId, user: &UserId, server: &ServerName) -> bool {
        self.may_write(user, server) && self.admits(room, Level::Write)
    }

    /// Whether what somebody says in this room goes out.
    pub fn may_answer_in(&self, room: &RoomId, user: &UserId, server: &ServerName) -> bool {
        self.is_at_least(Level::Answer, user, server) && self.admits(room, Level::Answer)
    }

    fn is_at_least(&self, level: Level, user: &UserId, server: &ServerName) -> bool {
        user.server_name() == server && self.level(user) >= level
    }

    fn admits(&self, room: &RoomId, level: Level) -> bool {
        self.rooms.get(room).is_none_or(|most| *most >= level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::{room_id, server_name, user_id};

    fn read(rules: &str) -> Permissions {
        serde_yaml::from_str(rules).unwrap()
    }

    #[test]
    fn the_most_exact_rule_counts_and_strangers_never_write() {
        let permissions = read("{'*': write, 'example.org': read, '@anna:example.org': write}");
        let server = server_name!("example.org");
        assert!(permissions.may_write(user_id!("@anna:example.org"), server));
        assert!(!permissions.may_write(user_id!("@otto:example.org"), server));
        assert_eq!(permissions.level(user_id!("@eve:evil.org")), Level::Write);
        assert!(!permissions.may_write(user_id!("@eve:evil.org"), server));
        assert_eq!(Permissions::default().level(user_id!("@anna:example.org")), Level::None);
    }

    #[test]
    fn who_may_only_answer_begins_nothing() {
        let permissions = read("{'example.org': answer, '@anna:example.org': write}");
        let (server, room) = (server_name!("example.org"), room_id!("!r:example.org"));
        let may = |user: &UserId| {
            (permissions.may_begin_in(room, user, server), permissions.may_answer_in(room, user, server))
        };
        assert_eq!(may(user_id!("@anna:example.org")), (true, true));
        assert_eq!(may(user_id!("@otto:example.org")), (false, true));
        assert_eq!(may(user_id!("@eve:evil.org")), (false, false));
    }

    #[test]
    fn in_a_room_nobody_may_do_more_than_its_rule_says() {
        let permissions = read("{'example.org': write, '!quiet:example.org': read, '!slow:example.org': answer}");
        let (server, anna) = (server_name!("example.org"), user_id!("@anna:example.org"));
        let may = |room: &RoomId| {
            (permissions.may_begin_in(room, anna, server), permissions.may_answer_in(room, anna, server))
        };
        assert_eq!(may(room_id!("!quiet:example.org")), (false, false));
        assert_eq!(may(room_id!("!slow:example.org")), (false, true));
        assert_eq!(may(room_id!("!other:example.org")), (true, true));
        let open = read("{'!open:example.org': admin}");
        assert!(!open.may_answer_in(room_id!("!open:example.org"), anna, server), "a room gives nobody more");
    }

    #[test]
    fn a_key_that_names_nobody_is_a_mistake() {
        for wrong in ["'anna muster': write", "'@anna': write", "'!': read", "'': read"] {
            assert!(serde_yaml::from_str::<Permissions>(&format!("{{{wrong}}}")).is_err(), "{wrong}");
        }
        assert!(read("{'!hash': read}").rooms.len() == 1, "since version 12 rooms have no server in their ids");
    }
}

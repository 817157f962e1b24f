//! What staff do in a room to what is somebody else's (XEP-0045 sections 8 and 9, XEP-0425). The room decides whether they may.

use super::{
    compose,
    profile::features,
    rooms::Rooms,
    say::{bare, enter},
};
use crate::{
    connectors::xmpp::{
        address::{Identity, stanza_id},
        component::Component,
        xml::{Build, ns},
    },
    failure::{Failure, Reason},
    ids::{LocalUser, RemoteRoomId, RemoteUserId},
    message::Moderation,
};
use xmpp_parsers::{jid::BareJid, minidom::Element};

/// May be repeated.
pub async fn moderate(
    rooms: &Rooms,
    component: &Component,
    identity: &Identity,
    user: &LocalUser,
    room: &RemoteRoomId,
    moderation: &Moderation,
) -> Result<(), Failure> {
    let from = identity.full_address_of(user);
    let from = from.ok_or_else(|| Failure::permanent(Reason::NotInRoom, "this member of staff has no address"))?;
    let bare = bare(room)?;
    enter(rooms, &bare, user).await?;
    let question = match moderation {
        Moderation::SendAway { who, for_good, reason } => {
            let item = match for_good {
                true => named(rooms, &bare, who)?.with("affiliation", "outcast"),
                false => compose::item().with("nick", nick(who)?).with("role", "none"),
            };
            compose::admin(&from, room, compose::because(item, reason.as_deref()))
        }
        Moderation::LetIn { who } => compose::admin(&from, room, named(rooms, &bare, who)?.with("affiliation", "none")),
        Moderation::TakeAway { message } => {
            let known = features(component, &from, room).await?;
            let knows = |name: &str| known.iter().any(|feature| feature == name);
            let is_new = knows(ns::MODERATE_1);
            if !is_new && !knows(ns::MODERATE_0) {
                return Err(Failure::permanent(
                    Reason::Refused,
                    "the room lets nobody take away what others have said",
                ));
            }
            let (_, id) = stanza_id(message);
            compose::take_away(&from, room, id, is_new)
        }
    };
    match component.ask(question).await {
        Ok(_) => Ok(()),
        // Whoever was to go has gone.
        Err(failure) if is_gone(moderation, &failure) => Ok(()),
        Err(failure) => Err(failure),
    }
}

fn is_gone(moderation: &Moderation, failure: &Failure) -> bool {
    matches!(moderation, Moderation::SendAway { for_good: false, .. }) && failure.reason == Reason::UnknownRecipient
}

fn nick(who: &RemoteUserId) -> Result<&str, Failure> {
    let nobody = || Failure::permanent(Reason::UnknownRecipient, "nobody can have this name in a room");
    who.as_str().split_once('/').map(|(_, nick)| nick).ok_or_else(nobody)
}

/// Bans are for people, and not for names: by their own address where the room tells us that, else the room has to know
/// who has the name at this moment.
fn named(rooms: &Rooms, room: &BareJid, who: &RemoteUserId) -> Result<Element, Failure> {
    let nick = nick(who)?;
    Ok(match rooms.person_behind(room, nick) {
        Some(address) => compose::item().with("jid", &address),
        None => compose::item().with("nick", nick),
    })
}

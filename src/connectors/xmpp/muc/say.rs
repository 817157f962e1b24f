//! Handing a delivery to a room. It counts when the room has said it back to us, and only then.

use super::{
    compose,
    keeper::ask_whether_inside,
    names,
    rooms::{Echo, Rooms, Standing},
};
use crate::{
    connectors::xmpp::{
        address::{Identity, message_of},
        component::Component,
        convert::outgoing::Composed,
        xml::ns,
    },
    failure::{Failure, Reason},
    ids::{LocalUser, RemoteMessageId, RemoteRoomId},
    message::Sent,
};
use std::time::Duration;
use tokio::time::timeout;
use xmpp_parsers::{jid::BareJid, minidom::Element};

/// For the writer to get in.
const ENTERING: Duration = Duration::from_secs(60);
/// For the room to say it back.
const ECHO: Duration = Duration::from_secs(30);

/// Says something to everybody in a room.
pub async fn say(
    rooms: &Rooms,
    component: &Component,
    identity: &Identity,
    user: &LocalUser,
    room: &RemoteRoomId,
    composed: Composed,
) -> Result<Sent, Failure> {
    let bare = bare(room)?;
    enter(rooms, &bare, user).await?;
    // Rooms say a topic back in words of their own.
    let is_topic = |it: &Element| it.has_child("subject", ns::COMPONENT) && !it.has_child("body", ns::COMPONENT);
    let proved_by_echo = !composed.stanzas.iter().all(is_topic);
    let ids: Vec<String> = composed.stanzas.iter().filter_map(|it| it.attr("id").map(str::to_owned)).collect();
    // What an earlier attempt has brought into the room is not said again.
    let is_new = |stanza: &Element| stanza.attr("id").is_none_or(|id| !matches!(rooms.said_back(id), Some(Ok(_))));
    let stanzas: Vec<Element> = composed.stanzas.into_iter().filter(is_new).map(compose::for_room).collect();
    let why = async |failure| why(rooms, component, identity, &bare, user, failure).await;
    if !stanzas.is_empty()
        && let Err(failure) = component.send(stanzas, composed.message.to_string()).await
    {
        return Err(why(failure).await);
    }
    if !proved_by_echo {
        return Ok(Sent { message: composed.message, subject: None, receipt_follows: false, said_as: None });
    }
    let mut first = None;
    for id in &ids {
        let echo = timeout(ECHO, echo(rooms, id)).await;
        let echo = echo.map_err(|_| Failure::transient(Reason::Unreachable, "the room has not said it back"))?;
        match echo {
            Ok(echo) => first.get_or_insert(echo),
            Err(failure) => return Err(why(failure).await),
        };
    }
    let own = composed.message;
    let Some(Echo { nick, id }) = first else { return Err(Failure::permanent(Reason::Unreadable, "nothing to say")) };
    let message = id.map_or_else(|| own.clone(), |id| message_of(&bare, &id));
    let said_as = Some((names::occupant_of(&bare, &nick), own));
    Ok(Sent { message, subject: None, receipt_follows: false, said_as })
}

/// Writes to somebody in a room, for them alone.
pub async fn say_privately(
    rooms: &Rooms,
    component: &Component,
    identity: &Identity,
    user: &LocalUser,
    room: &RemoteRoomId,
    composed: Composed,
) -> Result<RemoteMessageId, Failure> {
    let bare = bare(room)?;
    enter(rooms, &bare, user).await?;
    let stanzas = composed.stanzas.into_iter().map(compose::private).collect();
    match component.send(stanzas, composed.message.to_string()).await {
        Ok(()) => Ok(composed.message),
        Err(failure) => Err(why(rooms, component, identity, &bare, user, failure).await),
    }
}

/// Why a room has not taken something. That it does not know any more that the writer is in it passes: after its service has
/// ended and begun without a word, for one.
async fn why(
    rooms: &Rooms,
    component: &Component,
    identity: &Identity,
    room: &BareJid,
    user: &LocalUser,
    failure: Failure,
) -> Failure {
    if !failure.detail.starts_with("not-acceptable") {
        return failure;
    }
    let is_in = match rooms.nick_of(room, user) {
        Some(nick) => ask_whether_inside(rooms, component, identity, room, user, &nick).await,
        None => Some(false),
    };
    match is_in {
        Some(false) => Failure::transient(Reason::Busy, "the room had forgotten the writer, who goes in again"),
        _ => failure,
    }
}

pub(super) fn bare(room: &RemoteRoomId) -> Result<BareJid, Failure> {
    BareJid::new(room.as_str()).map_err(|_| Failure::permanent(Reason::UnknownRecipient, "this is no room"))
}

/// Waits until the writer is in the room.
pub(super) async fn enter(rooms: &Rooms, room: &BareJid, user: &LocalUser) -> Result<(), Failure> {
    let absent = || Failure::permanent(Reason::NotInRoom, "the writer is not to be in the room");
    let entered = async {
        let mut changes = rooms.changes();
        let mut since = None;
        loop {
            let (round, failure) = match rooms.standing(room, user) {
                Standing::In => return Ok(()),
                Standing::OnTheWay => {
                    let _ = changes.changed().await;
                    continue;
                }
                Standing::Shut(round, failure) => (round, failure),
                Standing::Absent(round) => (round, absent()),
            };
            // They may have come into the portal just now; and a look that is under way may have begun before.
            let first = *since.get_or_insert(round);
            if round >= first + 2 {
                return Err(failure);
            }
            rooms.look();
            let _ = changes.changed().await;
        }
    };
    let late = || Failure::transient(Reason::Unreachable, "the room does not let the writer in yet");
    timeout(ENTERING, entered).await.unwrap_or_else(|_| Err(late()))
}

async fn echo(rooms: &Rooms, id: &str) -> Result<Echo, Failure> {
    let mut changes = rooms.changes();
    loop {
        if let Some(echo) = rooms.said_back(id) {
            return echo;
        }
        let _ = changes.changed().await;
    }
}

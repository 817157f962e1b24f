//! What the store knows of rooms with several people from outside, and of those of the bot; on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::{RemoteMessageId, RemoteUserId, SourceId},
    store::{
        Finished, Ghost, Member, Membership, Message, MessageState, NewRow, Outcome, Queue, Store, ThreadState,
        Watermark, now,
    },
};
use ruma::{RoomId, UserId, event_id, room_id, user_id};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

suite! {
    a_room_with_somebody_else_in_it_is_not_that_of_the_two
    people_without_rooms_talk_where_something_was_last_said
    the_rooms_of_the_bot_are_read_back_like_portals
}

async fn exists(store: &Store, ghost: &UserId) {
    let remote_user = RemoteUserId::new(ghost.localpart());
    let ghost = Ghost { mxid: ghost.to_owned(), connector: "xmpp".into(), remote_user, name: "x".into() };
    store.save_ghost(&ghost).await.unwrap();
}

async fn portal(store: &Store, room: &RoomId, members: &[&UserId]) {
    let mut tx = store.begin().await.unwrap();
    tx.open_portal(room).await.unwrap();
    for mxid in members {
        let member = Member { membership: Membership::Join, name: None };
        tx.set_member(room, mxid, &member).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Something was said in a room.
async fn said(store: &Store, room: &RoomId, event: &ruma::EventId, id: &str) {
    let row = NewRow {
        kind: "delivery",
        connector: "xmpp".into(),
        lane: id.into(),
        source: SourceId::new(id),
        target: "eve".into(),
        room: Some(room.to_owned()),
        payload: Vec::new(),
        due_at: now(),
    };
    let mut tx = store.begin().await.unwrap();
    tx.enqueue(Queue::Outbox, vec![row]);
    tx.commit().await.unwrap();
    let mut rows = store.offer(Queue::Outbox, Arc::new(Semaphore::new(1)), Duration::from_secs(60));
    store.fill_slots(Queue::Outbox).await.unwrap();
    let (row, _) = rows.try_recv().unwrap();
    rows.close();
    let id = RemoteMessageId::new(id);
    let message = Message {
        event_id: event.to_owned(),
        room_id: room.to_owned(),
        thread: None,
        connector: "xmpp".into(),
        remote_user: RemoteUserId::new("eve"),
        remote_message: id.clone(),
        state: MessageState::Sent,
        recipients: 1,
    };
    let thread = ThreadState {
        room_id: room.to_owned(),
        thread: None,
        connector: "xmpp".into(),
        subject: None,
        root: id.clone(),
        last: id,
        previous: None,
        anew: false,
    };
    let outcome =
        Outcome::Done { messages: vec![message], thread: Some(thread), originals: Vec::new(), versions: Vec::new() };
    let finished = Finished { id: row.id, lane: row.lane.clone(), outcome, follow_up: Vec::new() };
    store.finish(Queue::Outbox, finished, None).await.unwrap();
    // Times are in milliseconds.
    tokio::time::sleep(Duration::from_millis(2)).await;
}

mod cases {
    use super::*;

    pub async fn a_room_with_somebody_else_in_it_is_not_that_of_the_two(store: Store) {
        let (room, anna, eve) = (room_id!("!r:x"), user_id!("@anna:x"), user_id!("@_xmpp_eve:x"));
        let (tom, bob) = (user_id!("@tom:x"), user_id!("@_email_bob:x"));
        for ghost in [eve, bob] {
            exists(&store, ghost).await;
        }
        portal(&store, room, &[anna, tom, eve]).await;
        let mut tx = store.begin().await.unwrap();
        tx.set_direct(room, anna, eve).await.unwrap();
        tx.commit().await.unwrap();
        let direct = async || {
            let places = store.places("xmpp", &[], anna, eve).await.unwrap();
            let mut tx = store.begin().await.unwrap();
            (places.direct.is_some(), tx.direct_room(anna, eve).await.unwrap().is_some())
        };
        assert_eq!(direct().await, (true, true), "a colleague may read along");
        portal(&store, room, &[bob]).await;
        assert_eq!(direct().await, (false, false));
        let mut tx = store.begin().await.unwrap();
        tx.remove_member(room, bob).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(direct().await, (true, true));

        said(&store, room, event_id!("$1"), "m1").await;
        let others = async || {
            let asked = [RemoteMessageId::new("m1")];
            store.places("xmpp", &asked, anna, eve).await.unwrap().known.remove(0).has_others
        };
        assert!(!others().await);
        portal(&store, room, &[bob]).await;
        assert!(others().await);
    }

    pub async fn people_without_rooms_talk_where_something_was_last_said(store: Store) {
        let (anna, tom, eve) = (user_id!("@anna:x"), user_id!("@tom:x"), user_id!("@_xmpp_eve:x"));
        let (first, second, of_tom) = (room_id!("!1:x"), room_id!("!2:x"), room_id!("!3:x"));
        exists(&store, eve).await;
        for (room, staff) in [(first, anna), (second, anna), (of_tom, tom)] {
            portal(&store, room, &[staff, eve]).await;
        }
        let last = async || store.last_conversation("xmpp", anna, eve).await.unwrap();
        assert_eq!(last().await, None, "where nothing was said nobody talks");
        said(&store, first, event_id!("$1"), "m1").await;
        said(&store, second, event_id!("$2"), "m2").await;
        said(&store, of_tom, event_id!("$3"), "m3").await;
        assert_eq!(last().await.as_deref(), Some(second));
        said(&store, first, event_id!("$4"), "m4").await;
        assert_eq!(last().await.as_deref(), Some(first));
        let mut tx = store.begin().await.unwrap();
        tx.set_encrypted(first).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(last().await.as_deref(), Some(second), "where messages can cross");
        let mut tx = store.begin().await.unwrap();
        tx.remove_member(second, eve).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(last().await, None);
    }

    pub async fn the_rooms_of_the_bot_are_read_back_like_portals(store: Store) {
        let (room, other, anna) = (room_id!("!r:x"), room_id!("!o:x"), user_id!("@anna:x"));
        let mut tx = store.begin().await.unwrap();
        for room in [room, other] {
            tx.open_management_room(room, anna).await.unwrap();
        }
        tx.begin_reading_as_bot(room, "5", 1_000).await.unwrap();
        tx.commit().await.unwrap();
        let read_to = async || {
            let unread = store.unread(&[room.to_owned()]).await.unwrap().remove(0);
            assert!(unread.is_of_bot && unread.joined.is_empty());
            unread.read_to
        };
        assert_eq!(read_to().await.as_deref(), Some("5"));
        assert_eq!(store.active_management_rooms(500, 10).await.unwrap(), [room]);
        assert_eq!(store.longest_unread_management_rooms(2_000, 10).await.unwrap(), [other, room]);
        for (place, at) in [("9", 3_000), ("7", 2_000)] {
            let watermark = Watermark { room: room.to_owned(), read_to: Some(place.into()), read_at: at, active: true };
            let mut tx = store.begin().await.unwrap();
            tx.set_watermarks(&[watermark]).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(read_to().await.as_deref(), Some("9"), "never back");
        assert_eq!(store.longest_unread_management_rooms(2_000, 10).await.unwrap(), [other]);
        assert_eq!(store.management_room_of(anna).await.unwrap().as_deref(), Some(room));
    }
}

//! What the store knows of people outside for the sake of looks, reactions and what passes, on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::RemoteUserId,
    store::{Ghost, Looks, Member, Membership, Reacted, Store},
};
use ruma::{RoomId, UserId, event_id, room_id, user_id};

suite! {
    a_ghost_s_looks_are_known_since_when
    a_reaction_is_known_by_its_event
    those_hear_who_have_joined_a_room_in_which_messages_cross
}

async fn add_member(store: &Store, room: &RoomId, user: &UserId, membership: Membership) {
    let mut tx = store.begin().await.unwrap();
    tx.open_portal(room).await.unwrap();
    tx.set_member(room, user, &Member { membership, name: None }).await.unwrap();
    tx.commit().await.unwrap();
}

mod cases {
    use super::*;

    pub async fn a_ghost_s_looks_are_known_since_when(store: Store) {
        let bob = user_id!("@_email_bob:x");
        assert_eq!(store.looks_of(bob).await.unwrap(), Looks::default());
        let (connector, remote_user) = ("email".to_owned(), RemoteUserId::new("bob"));
        let ghost = Ghost { mxid: bob.to_owned(), connector, remote_user, name: "Bob".into() };
        store.save_ghost(&ghost).await.unwrap();
        assert_eq!(store.looks_of(bob).await.unwrap(), Looks::default(), "nobody has asked yet");
        for picture in [Some("hash".to_owned()), None] {
            let looks = Looks { looked_up_at: Some(1_700_000_000_000), picture };
            store.note_looks(bob, &looks).await.unwrap();
            assert_eq!(store.looks_of(bob).await.unwrap(), looks);
        }
        store.save_ghost(&Ghost { name: "Bob Meier".into(), ..ghost }).await.unwrap();
        let looks = store.looks_of(bob).await.unwrap();
        assert_eq!(looks.looked_up_at, Some(1_700_000_000_000), "a new name changes nothing of it");
    }

    pub async fn a_reaction_is_known_by_its_event(store: Store) {
        let reacted = Reacted {
            event_id: event_id!("$reaction").to_owned(),
            target: event_id!("$message").to_owned(),
            writer: "anna".into(),
            name: "Anna 👍".into(),
        };
        let mut tx = store.begin().await.unwrap();
        tx.note_reacted(&reacted).await.unwrap();
        tx.note_reacted(&reacted).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.reacted(&reacted.event_id).await.unwrap(), Some(reacted.clone()));
        assert_eq!(tx.reacted(&reacted.target).await.unwrap(), None);
    }

    pub async fn those_hear_who_have_joined_a_room_in_which_messages_cross(store: Store) {
        let room = room_id!("!r:x");
        let (bob, eve, anna) = (user_id!("@_x_bob:x"), user_id!("@_x_eve:x"), user_id!("@anna:x"));
        let hearers = async |most| store.hearers(room, "@_", most).await.unwrap();
        assert!(hearers(9).await.is_empty());
        add_member(&store, room, bob, Membership::Join).await;
        add_member(&store, room, eve, Membership::Invite).await;
        add_member(&store, room, anna, Membership::Join).await;
        add_member(&store, room, user_id!("@xbob:x"), Membership::Join).await;
        add_member(&store, room_id!("!other:x"), user_id!("@_x_tom:x"), Membership::Join).await;
        assert_eq!(hearers(9).await, [bob.to_owned()], "the prefix is no pattern");
        add_member(&store, room, eve, Membership::Join).await;
        assert_eq!(hearers(9).await, [bob.to_owned(), eve.to_owned()]);
        assert_eq!(hearers(1).await.len(), 1);
        let mut tx = store.begin().await.unwrap();
        tx.set_encrypted(room).await.unwrap();
        tx.commit().await.unwrap();
        assert!(hearers(9).await.is_empty());
    }
}

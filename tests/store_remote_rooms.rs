//! What the store knows of remote rooms, on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::RemoteRoomId,
    store::{Member, Membership, Store},
};
use ruma::{RoomId, UserId, room_id, user_id};

suite! {
    a_remote_room_is_paired_with_the_portal_that_its_ghost_has_joined
    whoever_is_shut_out_is_not_to_be_there_until_they_are_let_in
    rooms_into_which_nobody_came_are_counted
}

async fn enter(store: &Store, room: &RoomId, user: &UserId, membership: Membership, name: Option<&str>) {
    let mut tx = store.begin().await.unwrap();
    tx.open_portal(room).await.unwrap();
    tx.set_member(room, user, &Member { membership, name: name.map(str::to_owned) }).await.unwrap();
    tx.commit().await.unwrap();
}

/// A remote room with its ghost in this portal.
async fn pair(store: &Store, remote: &str, ghost: &UserId, room: &RoomId) -> RemoteRoomId {
    let remote = RemoteRoomId::new(remote);
    enter(store, room, ghost, Membership::Join, None).await;
    let mut tx = store.begin().await.unwrap();
    tx.note_remote_room("chat", &remote, ghost).await.unwrap();
    tx.note_remote_room("chat", &remote, ghost).await.unwrap();
    tx.commit().await.unwrap();
    remote
}

async fn there(store: &Store) -> Vec<(String, String, Option<String>)> {
    let paired = store.paired("chat").await.unwrap();
    paired.into_iter().map(|it| (it.remote.to_string(), it.user.to_string(), it.name)).collect()
}

mod cases {
    use super::*;

    pub(super) async fn a_remote_room_is_paired_with_the_portal_that_its_ghost_has_joined(store: Store) {
        let (room, other) = (room_id!("!r:x"), room_id!("!o:x"));
        let (ghost, anna, tom) = (user_id!("@_chat_room=3abau:x"), user_id!("@anna:x"), user_id!("@tom:x"));
        assert_eq!(store.room_with(ghost).await.unwrap(), None);
        enter(&store, other, ghost, Membership::Invite, None).await;
        assert_eq!(store.room_with(ghost).await.unwrap(), None, "it was only invited");
        pair(&store, "bau", ghost, room).await;
        enter(&store, room, anna, Membership::Join, Some("Anna")).await;
        enter(&store, room, tom, Membership::Invite, None).await;
        enter(&store, other, tom, Membership::Join, None).await;
        assert_eq!(store.room_with(ghost).await.unwrap().as_deref(), Some(room));
        assert_eq!(store.membership(room, tom).await.unwrap(), Some(Membership::Invite));
        assert_eq!(store.membership(other, anna).await.unwrap(), None);
        let expected = [("bau".into(), ghost.to_string(), None), ("bau".into(), anna.to_string(), Some("Anna".into()))];
        assert_eq!(there(&store).await, expected);
        assert!(store.paired("other").await.unwrap().is_empty());

        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.room_with(ghost).await.unwrap().as_deref(), Some(room));
        tx.remove_member(room, ghost).await.unwrap();
        tx.commit().await.unwrap();
        assert!(there(&store).await.is_empty());
    }

    pub(super) async fn whoever_is_shut_out_is_not_to_be_there_until_they_are_let_in(store: Store) {
        let (room, ghost, anna) = (room_id!("!r:x"), user_id!("@_chat_room=3abau:x"), user_id!("@anna:x"));
        let remote = pair(&store, "bau", ghost, room).await;
        enter(&store, room, anna, Membership::Join, None).await;
        let shut = async |is_shut: bool| {
            let mut tx = store.begin().await.unwrap();
            match is_shut {
                true => tx.shut_out("chat", &remote, anna).await.unwrap(),
                false => tx.let_in("chat", &remote, anna).await.unwrap(),
            }
            tx.commit().await.unwrap();
            there(&store).await.iter().any(|(_, user, _)| user == anna.as_str())
        };
        assert!(!shut(true).await);
        assert!(!shut(true).await);
        assert!(shut(false).await);
    }

    pub(super) async fn rooms_into_which_nobody_came_are_counted(store: Store) {
        let (ghost, other) = (user_id!("@_chat_room=3abau:x"), user_id!("@_chat_room=3aamt:x"));
        pair(&store, "bau", ghost, room_id!("!1:x")).await;
        pair(&store, "amt", other, room_id!("!2:x")).await;
        assert_eq!(store.deserted("@_").await.unwrap(), 2);
        enter(&store, room_id!("!1:x"), user_id!("@anna:x"), Membership::Join, None).await;
        enter(&store, room_id!("!2:x"), user_id!("@_chat_amt/bob:x"), Membership::Join, None).await;
        assert_eq!(store.deserted("@_").await.unwrap(), 1);
    }
}

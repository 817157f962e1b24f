//! More of what the store knows of remote rooms, on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::{LocalUser, Password, RemoteRoomId, SourceId},
    message::RawArrival,
    store::{Member, Membership, Queue, Store},
};
use ruma::{RoomId, UserId, room_id, user_id};

suite! {
    only_people_beside_a_remote_room_count_as_others
    a_password_is_kept_and_whoever_was_shut_out_may_try_again
    what_has_two_names_comes_once_under_either
}

async fn enter(store: &Store, room: &RoomId, user: &UserId, membership: Membership) {
    let mut tx = store.begin().await.unwrap();
    tx.open_portal(room).await.unwrap();
    tx.set_member(room, user, &Member { membership, name: None }).await.unwrap();
    tx.commit().await.unwrap();
}

mod cases {
    use super::*;

    pub(super) async fn only_people_beside_a_remote_room_count_as_others(store: Store) {
        let (room, keeper) = (room_id!("!r:x"), user_id!("@_chat_room=3abau:x"));
        let occupants = Some("@_chat_bau/");
        let beside = async |occupants| store.is_anybody_beside(room, "@_", occupants, keeper).await.unwrap();
        for inside in [keeper, user_id!("@anna:x"), user_id!("@_chat_bau/bob:x"), user_id!("@_chat_bau/eve:x")] {
            enter(&store, room, inside, Membership::Join).await;
        }
        enter(&store, room_id!("!o:x"), user_id!("@_mail_ida:x"), Membership::Join).await;
        assert!(!beside(occupants).await);
        assert!(beside(None).await, "where nothing tells them, all may be others");
        for other in [user_id!("@_mail_ida:x"), user_id!("@_chat_baufrau:x"), user_id!("@_chat_room=3aamt:x")] {
            enter(&store, room, other, Membership::Invite).await;
            assert!(beside(occupants).await, "{other}");
            let mut tx = store.begin().await.unwrap();
            tx.remove_member(room, other).await.unwrap();
            tx.commit().await.unwrap();
            assert!(!beside(occupants).await, "{other}");
        }
    }

    pub(super) async fn a_password_is_kept_and_whoever_was_shut_out_may_try_again(store: Store) {
        let (room, keeper, anna) = (room_id!("!r:x"), user_id!("@_chat_room=3abau:x"), user_id!("@anna:x"));
        let (bau, amt) = (RemoteRoomId::new("bau"), RemoteRoomId::new("amt"));
        enter(&store, room, keeper, Membership::Join).await;
        enter(&store, room, anna, Membership::Join).await;
        let password = Password::new("Zwei Worte");
        let mut tx = store.begin().await.unwrap();
        assert!(!tx.set_room_password("chat", &bau, &password).await.unwrap(), "the room is not known");
        for remote in [&bau, &amt] {
            tx.note_remote_room("chat", remote, keeper).await.unwrap();
        }
        tx.shut_out("chat", &bau, anna).await.unwrap();
        tx.commit().await.unwrap();
        assert!(store.room_passwords("chat").await.unwrap().is_empty());
        let is_there = async || {
            let paired = store.paired("chat").await.unwrap();
            paired.iter().any(|it| it.user == anna && it.remote == bau)
        };
        assert!(!is_there().await);
        let mut tx = store.begin().await.unwrap();
        assert!(tx.set_room_password("chat", &bau, &password).await.unwrap());
        tx.commit().await.unwrap();
        assert!(is_there().await);
        let known = store.room_passwords("chat").await.unwrap();
        assert_eq!(known.into_iter().collect::<Vec<_>>(), [(bau, password)]);
        assert!(store.room_passwords("other").await.unwrap().is_empty());
    }

    pub(super) async fn what_has_two_names_comes_once_under_either(store: Store) {
        let arrival = |source: &str, also: Option<&str>| RawArrival {
            source: SourceId::new(source),
            also: also.map(SourceId::new),
            lane: "r".into(),
            to: LocalUser::new("anna"),
            raw: source.to_owned().into(),
        };
        let take = async |arrivals: Vec<RawArrival>| {
            store.accept_arrivals("chat", arrivals, None).await.unwrap();
            store.counts(Queue::Inbox).await.unwrap().live
        };
        assert_eq!(take(vec![arrival("s1", Some("a"))]).await, 1);
        assert_eq!(take(vec![arrival("s2", Some("a"))]).await, 1, "said again, and called otherwise");
        assert_eq!(take(vec![arrival("a", None)]).await, 1, "told without the first name");
        assert_eq!(take(vec![arrival("s1", None)]).await, 1);
        assert_eq!(take(vec![arrival("s3", Some("b")), arrival("s4", Some("b")), arrival("s5", None)]).await, 3);
    }
}

//! How far the homeserver has surely pushed, and the ghosts in their order, on SQLite and on PostgreSQL.

use crate::common::databases::suite;
use fehmarn::{
    ids::RemoteUserId,
    store::{Ghost, Store},
};
use ruma::UserId;

suite! {
    the_place_is_kept_until_there_is_another
    ghosts_come_one_after_the_other
}

mod cases {
    use super::*;

    pub async fn the_place_is_kept_until_there_is_another(store: Store) {
        assert_eq!(store.pushed_to().await.unwrap(), None);
        for place in [Some("s1_2"), Some("s3_4"), None] {
            store.set_pushed_to(place).await.unwrap();
            assert_eq!(store.pushed_to().await.unwrap().as_deref(), place);
        }
    }

    pub async fn ghosts_come_one_after_the_other(store: Store) {
        let id = |name: &str| UserId::parse(format!("@_email_{name}:x")).unwrap();
        for name in ["c", "a", "d", "b"] {
            let (mxid, remote_user) = (id(name), RemoteUserId::new(name));
            let ghost = Ghost { mxid, connector: "email".into(), remote_user, name: name.into() };
            store.save_ghost(&ghost).await.unwrap();
        }
        let between = async |after: &str, up_to: Option<&str>, limit: i64| {
            let (after, up_to) = (if after.is_empty() { String::new() } else { id(after).to_string() }, up_to.map(id));
            let found = store.ghosts_between(&after, up_to.as_ref().map(|id| id.as_str()), limit).await.unwrap();
            found.iter().map(|ghost| ghost.localpart().trim_start_matches("_email_")).collect::<String>()
        };
        assert_eq!(between("", None, 10).await, "abcd");
        assert_eq!(between("", None, 2).await, "ab");
        assert_eq!(between("b", None, 10).await, "cd");
        assert_eq!(between("d", None, 10).await, "");
        assert_eq!(between("", Some("b"), 10).await, "ab");
        assert_eq!(between("a", Some("c"), 1).await, "b");
    }
}

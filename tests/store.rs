//! One suite for the store, run on SQLite and on PostgreSQL.

pub use crate::common::databases::fresh_schema;
use crate::common::databases::suite;
use fehmarn::{
    ids::{LocalUser, RemoteMessageId, RemoteUserId, SourceId},
    message::{Attachment, RawArrival},
    store::{
        Concerned, Counts, Cursor, Finished, Ghost, Member, Membership, Message, MessageState, NewRow, Original,
        Outcome, Pending, Places, Progress, Queue, Row, Scope, Spent, Store, ThreadState, Told, Trouble, Unread,
        Watermark, now,
    },
};
use ruma::{event_id, room_id, user_id};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

const LEASE: Duration = Duration::from_secs(60);

suite! {
    with url:
    rows_of_one_lane_go_one_after_the_other
    whoever_ends_a_row_gets_the_next_one
    a_row_goes_straight_to_a_free_slot
    what_is_not_committed_goes_to_nobody
    a_row_that_is_passed_over_holds_nobody_up
    a_lease_ends_and_the_row_falls_due_again
    a_retry_keeps_its_lane_waiting_and_a_dead_row_does_not
    an_admin_brings_a_dead_row_back_before_younger_ones
    the_same_source_is_taken_in_once
    arrivals_and_their_cursor_are_one_commit
    many_at_once_lose_nothing
    what_is_not_committed_never_was
    a_crash_leaves_rows_that_can_be_released
    done_rows_leave_the_mapping_behind
    portals_know_who_is_in_them
    of_a_large_room_only_those_are_read_who_matter
    what_is_known_of_a_room_goes_on_in_its_successor
    a_notice_is_found_by_its_trouble_and_the_other_way_round
    a_watermark_never_goes_back
    the_sweep_goes_from_the_longest_unread_on
    arrivals_find_the_room_of_their_thread_and_of_the_pair
    many_who_ask_at_once_each_find_their_own_place
    two_have_one_direct_room
    who_has_chosen_a_language_is_known_by_it
    what_somebody_has_done_is_counted_for_each_of_them
    the_bot_s_rooms_are_known_until_they_are_closed
    what_has_not_arrived_is_found_by_lane_and_room
    a_ghost_keeps_its_newest_name
    what_waits_can_change_and_go_until_it_is_claimed
    each_matrix_thread_is_a_conversation_and_a_new_subject_begins_one
    it_is_known_whether_a_room_of_a_name_has_other_ghosts
    all_of_a_message_is_kept_until_it_is_taken_back
    reactions_wait_for_each_person_until_they_are_told
    it_is_known_who_shows_reactions
    strange_texts_come_back_as_they_were
    a_secret_is_made_once
    tokens_and_terms_are_known_until_they_are_forgotten
    ghosts_are_found_by_what_was_worked_out
    it_can_be_opened_twice
}

/// From now on nothing can be written into the inbox.
async fn break_the_inbox(url: &str) {
    let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(url).await.unwrap();
    sqlx::query("ALTER TABLE inbox RENAME TO broken").execute(&mut connection).await.unwrap();
}

fn row(lane: &str, source: &str) -> NewRow {
    NewRow {
        kind: "delivery",
        connector: "email".into(),
        lane: lane.into(),
        source: SourceId::new(source),
        target: "bob@example.org".into(),
        room: Some(room_id!("!r:x").to_owned()),
        payload: source.as_bytes().to_vec(),
        due_at: now(),
    }
}

async fn add(store: &Store, rows: &[(&str, &str)]) {
    let mut tx = store.begin().await.unwrap();
    tx.enqueue(Queue::Outbox, rows.iter().map(|(lane, source)| row(lane, source)).collect());
    tx.commit().await.unwrap();
}

async fn claim(store: &Store, limit: usize) -> Vec<Row> {
    claim_for(store, Queue::Outbox, limit, LEASE).await
}

/// What a worker with this many free slots gets.
async fn claim_for(store: &Store, queue: Queue, slots: usize, lease: Duration) -> Vec<Row> {
    let mut rows = store.offer(queue, Arc::new(Semaphore::new(slots)), lease);
    let count = store.fill_slots(queue).await.unwrap();
    let rows: Vec<Row> = std::iter::from_fn(|| rows.try_recv().ok()).map(|(row, _)| row).collect();
    assert_eq!(rows.len(), count);
    rows
}

fn sources(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter().map(|row| row.source.as_str()).collect()
}

async fn end(store: &Store, row: &Row, outcome: Outcome) {
    let finished = Finished { id: row.id, lane: row.lane.clone(), outcome, follow_up: Vec::new() };
    store.finish(Queue::Outbox, finished, None).await.unwrap();
}

fn done() -> Outcome {
    Outcome::Done { messages: Vec::new(), thread: None, originals: Vec::new(), versions: Vec::new() }
}

fn arrival(source: &str, lane: &str) -> RawArrival {
    RawArrival {
        also: None,
        source: SourceId::new(source),
        lane: lane.into(),
        to: LocalUser::new("anna"),
        raw: source.as_bytes().to_vec().into(),
    }
}

fn message(event: &ruma::EventId, remote: &str) -> Message {
    Message {
        event_id: event.to_owned(),
        room_id: room_id!("!r:x").to_owned(),
        thread: None,
        connector: "email".into(),
        remote_user: RemoteUserId::new("bob@example.org"),
        remote_message: RemoteMessageId::new(remote),
        state: MessageState::Sent,
        recipients: 1,
    }
}

fn joined(name: &str) -> Member {
    Member { membership: Membership::Join, name: Some(name.into()) }
}

mod cases {
    use super::*;

    pub async fn rows_of_one_lane_go_one_after_the_other(store: Store, _: &str) {
        add(&store, &[("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")]).await;
        let first = claim(&store, 10).await;
        assert_eq!(sources(&first), BTreeSet::from(["a1", "b1"]));
        assert!(claim(&store, 10).await.is_empty(), "a2 waits for a1");
        end(&store, first.iter().find(|row| row.lane == "a").unwrap(), done()).await;
        assert_eq!(sources(&claim(&store, 10).await), BTreeSet::from(["a2"]));
    }

    pub async fn whoever_ends_a_row_gets_the_next_one(store: Store, _: &str) {
        add(&store, &[("a", "a1"), ("a", "a2")]).await;
        let a1 = claim(&store, 10).await.remove(0);
        let finished =
            |row: &Row| Finished { id: row.id, lane: row.lane.clone(), outcome: done(), follow_up: Vec::new() };
        let a2 = store.finish(Queue::Outbox, finished(&a1), Some(LEASE)).await.unwrap().unwrap();
        assert_eq!((a2.source.as_str(), a2.attempts), ("a2", 1));
        assert!(claim(&store, 10).await.is_empty(), "it is claimed");
        assert_eq!(store.finish(Queue::Outbox, finished(&a2), Some(LEASE)).await.unwrap(), None);
        assert_eq!(store.counts(Queue::Outbox).await.unwrap(), Counts::default());
    }

    pub async fn a_row_goes_straight_to_a_free_slot(store: Store, _: &str) {
        let slots = Arc::new(Semaphore::new(3));
        let mut rows = store.offer(Queue::Outbox, slots.clone(), LEASE);
        add(&store, &[("a", "a1"), ("a", "a2"), ("b", "b1")]).await;
        let (a1, slot) = rows.try_recv().unwrap();
        assert_eq!((a1.source.as_str(), a1.attempts, a1.payload.as_slice()), ("a1", 1, &b"a1"[..]));
        assert_eq!(rows.try_recv().unwrap().0.source.as_str(), "b1");
        assert!(rows.try_recv().is_err(), "a2 waits for a1");
        assert_eq!(store.fill_slots(Queue::Outbox).await.unwrap(), 0, "a1 and b1 are claimed");
        end(&store, &a1, done()).await;
        drop(slot);
        assert_eq!(store.fill_slots(Queue::Outbox).await.unwrap(), 1);
        let (a2, _slot) = rows.try_recv().unwrap();
        assert_eq!((a2.source.as_str(), slots.available_permits()), ("a2", 2));
        add(&store, &[("a", "a3"), ("c", "c1"), ("d", "d1"), ("e", "e1")]).await;
        let more = [rows.try_recv().unwrap(), rows.try_recv().unwrap()];
        assert_eq!(more.each_ref().map(|(row, _)| row.source.as_str()), ["c1", "d1"]);
        assert!(rows.try_recv().is_err(), "there is no slot for e1");
        drop((rows, more));
        add(&store, &[("f", "f1")]).await;
        assert_eq!(sources(&claim(&store, 10).await), BTreeSet::from(["e1", "f1"]), "nobody was there");
    }

    pub async fn what_is_not_committed_goes_to_nobody(store: Store, url: &str) {
        let slots = Arc::new(Semaphore::new(1));
        let mut rows = store.offer(Queue::Outbox, slots.clone(), LEASE);
        let mut tx = store.begin().await.unwrap();
        tx.enqueue(Queue::Outbox, vec![row("a", "a1")]);
        drop(tx);
        break_the_inbox(url).await;
        let mut tx = store.begin().await.unwrap();
        tx.enqueue(Queue::Outbox, vec![row("a", "a2")]);
        tx.enqueue(Queue::Inbox, vec![row("a", "a3")]);
        assert!(tx.commit().await.is_err());
        assert!(rows.try_recv().is_err());
        assert_eq!(slots.available_permits(), 1);
        assert_eq!(store.counts(Queue::Outbox).await.unwrap(), Counts::default());
    }

    pub async fn a_row_that_is_passed_over_holds_nobody_up(store: Store, _: &str) {
        add(&store, &[("a", "a1")]).await;
        let a1 = claim(&store, 10).await.remove(0);
        end(&store, &a1, Outcome::Dead { error: "refused: no".into() }).await;
        add(&store, &[("a", "a1"), ("a", "a2")]).await;
        assert_eq!(sources(&claim(&store, 10).await), BTreeSet::from(["a2"]));
    }

    pub async fn a_lease_ends_and_the_row_falls_due_again(store: Store, _: &str) {
        add(&store, &[("a", "a1")]).await;
        let first = claim_for(&store, Queue::Outbox, 10, Duration::ZERO).await;
        assert_eq!(first[0].attempts, 1);
        let again = claim(&store, 10).await;
        assert_eq!(again[0].attempts, 2);
        assert_eq!(again[0].id, first[0].id);
        assert!(claim(&store, 10).await.is_empty());
    }

    pub async fn a_retry_keeps_its_lane_waiting_and_a_dead_row_does_not(store: Store, _: &str) {
        add(&store, &[("a", "a1"), ("a", "a2")]).await;
        let a1 = claim(&store, 10).await.remove(0);
        let at = now() + 50_000;
        end(&store, &a1, Outcome::Retry { at, error: "busy: later".into() }).await;
        assert!(claim(&store, 10).await.is_empty());
        assert_eq!(store.next_due(Queue::Outbox).await.unwrap(), Some(at));
        end(&store, &a1, Outcome::Dead { error: "refused: no".into() }).await;
        assert_eq!(sources(&claim(&store, 10).await), BTreeSet::from(["a2"]));
        assert_eq!(store.counts(Queue::Outbox).await.unwrap(), Counts { live: 1, dead: 1 });
        let listed = store.list(Queue::Outbox, 10).await.unwrap();
        assert_eq!((listed[0].dead, listed[0].last_error.as_deref()), (true, Some("refused: no")));
    }

    pub async fn an_admin_brings_a_dead_row_back_before_younger_ones(store: Store, _: &str) {
        add(&store, &[("a", "a1"), ("a", "a2")]).await;
        let a1 = claim(&store, 10).await.remove(0);
        end(&store, &a1, Outcome::Dead { error: "refused: no".into() }).await;
        assert!(store.retry(Queue::Outbox, a1.id).await.unwrap());
        let back = claim(&store, 10).await;
        assert_eq!((sources(&back), back[0].attempts), (BTreeSet::from(["a1"]), 2));
        assert!(store.discard(Queue::Outbox, a1.id).await.unwrap());
        assert_eq!(sources(&claim(&store, 10).await), BTreeSet::from(["a2"]));
        assert!(!store.retry(Queue::Outbox, a1.id).await.unwrap());
        assert!(!store.discard(Queue::Outbox, a1.id).await.unwrap());
    }

    pub async fn the_same_source_is_taken_in_once(store: Store, _: &str) {
        let ids = ["$1".to_owned(), "$2".to_owned()];
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.first_seen(&ids).await.unwrap().len(), 2);
        assert!(tx.first_seen(&ids).await.unwrap().is_empty());
        tx.commit().await.unwrap();
        assert_eq!(store.forget_seen(now() + 1).await.unwrap(), 2);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.first_seen(&ids[..1]).await.unwrap().len(), 1);
    }

    pub async fn arrivals_and_their_cursor_are_one_commit(store: Store, _: &str) {
        let cursor = Cursor { name: "INBOX".into(), value: "1:7".into() };
        let both = vec![arrival("m1", "l"), arrival("m2", "l")];
        store.accept_arrivals("email", both.clone(), Some(cursor)).await.unwrap();
        store.accept_arrivals("email", both, None).await.unwrap();
        assert_eq!(store.cursor("email", "INBOX").await.unwrap().as_deref(), Some("1:7"));
        assert_eq!(store.cursor("sms", "INBOX").await.unwrap(), None);
        assert_eq!(store.counts(Queue::Inbox).await.unwrap(), Counts { live: 2, dead: 0 });
        let rows = claim_for(&store, Queue::Inbox, 10, LEASE).await;
        assert_eq!(
            (rows[0].kind.as_str(), rows[0].target.as_str(), rows[0].payload.as_slice()),
            ("arrival", "anna", &b"m1"[..])
        );
    }

    pub async fn many_at_once_lose_nothing(store: Store, _: &str) {
        let store = Arc::new(store);
        let tasks: Vec<_> = (0..300)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let arrival = arrival(&format!("m{n}"), &format!("lane {}", n % 10));
                    store.accept_arrivals("email", vec![arrival], None).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut seen = BTreeSet::new();
        loop {
            let rows = claim_for(&store, Queue::Inbox, 7, LEASE).await;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                assert!(seen.insert(row.source.as_str().to_owned()));
                let finished = Finished { id: row.id, lane: row.lane, outcome: done(), follow_up: Vec::new() };
                store.finish(Queue::Inbox, finished, None).await.unwrap();
            }
        }
        assert_eq!(seen.len(), 300);
    }

    pub async fn what_is_not_committed_never_was(store: Store, _: &str) {
        let id = ["$1".to_owned()];
        let mut tx = store.begin().await.unwrap();
        tx.first_seen(&id).await.unwrap();
        tx.enqueue(Queue::Outbox, vec![row("a", "a1")]);
        drop(tx);
        assert_eq!(store.begin().await.unwrap().first_seen(&id).await.unwrap().len(), 1);
        assert!(claim(&store, 10).await.is_empty());
        add(&store, &[("a", "a1")]).await;
        assert_eq!(claim(&store, 10).await.len(), 1);
    }

    pub async fn a_crash_leaves_rows_that_can_be_released(store: Store, url: &str) {
        add(&store, &[("a", "a1"), ("b", "b1")]).await;
        let rows = claim(&store, 10).await;
        end(&store, &rows[0], Outcome::Retry { at: now() + 50_000, error: "busy: later".into() }).await;
        let next = Store::open(url).await.unwrap();
        assert!(claim(&next, 10).await.is_empty());
        assert_eq!(
            next.release_leases(Queue::Outbox, LEASE).await.unwrap(),
            1,
            "what waits by its own will goes on waiting"
        );
        assert_eq!(sources(&claim(&next, 10).await), sources(&rows[1..]));
    }

    pub async fn done_rows_leave_the_mapping_behind(store: Store, _: &str) {
        add(&store, &[("a", "a1")]).await;
        let a1 = claim(&store, 10).await.remove(0);
        assert_eq!(a1.thread, None);
        let thread = |root: &str, last: &str, subject: Option<&str>| ThreadState {
            room_id: room_id!("!r:x").to_owned(),
            thread: None,
            connector: "email".into(),
            subject: subject.map(str::to_owned),
            root: RemoteMessageId::new(root),
            last: RemoteMessageId::new(last),
            previous: None,
            anew: false,
        };
        let sent = message(event_id!("$e1"), "m1@x");
        let outcome = Outcome::Done {
            messages: vec![sent.clone()],
            thread: Some(thread("m1@x", "m1@x", Some("Antrag"))),
            originals: Vec::new(),
            versions: Vec::new(),
        };
        let notice = NewRow { kind: "notice", ..row("n", "notice 1") };
        let finished = Finished { id: a1.id, lane: a1.lane, outcome, follow_up: vec![notice] };
        store.finish(Queue::Outbox, finished, None).await.unwrap();
        assert_eq!(store.counts(Queue::Outbox).await.unwrap(), Counts::default());
        assert_eq!(store.counts(Queue::Inbox).await.unwrap().live, 1);
        assert_eq!(store.messages("email", &sent.remote_message).await.unwrap(), std::slice::from_ref(&sent));
        store.set_message_state(&sent, MessageState::Failed).await.unwrap();
        assert_eq!(store.messages("email", &sent.remote_message).await.unwrap()[0].state, MessageState::Failed);

        add(&store, &[("a", "a2")]).await;
        let a2 = claim(&store, 10).await.remove(0);
        let outcome = Outcome::Done {
            messages: Vec::new(),
            thread: Some(thread("other@x", "m2@x", None)),
            originals: Vec::new(),
            versions: Vec::new(),
        };
        end(&store, &a2, outcome).await;
        add(&store, &[("a", "a3")]).await;
        let known = claim(&store, 10).await.remove(0).thread.unwrap();
        let expected =
            ThreadState { previous: Some(RemoteMessageId::new("m1@x")), ..thread("m1@x", "m2@x", Some("Antrag")) };
        assert_eq!(known, expected, "root and subject stay");
    }

    pub async fn portals_know_who_is_in_them(store: Store, _: &str) {
        let (room, anna, bob) = (room_id!("!r:x"), user_id!("@anna:x"), user_id!("@_email_bob:x"));
        let mut tx = store.begin().await.unwrap();
        assert!(tx.portals(&[room]).await.unwrap().is_empty());
        tx.open_portal(room).await.unwrap();
        tx.open_portal(room).await.unwrap();
        tx.set_room_name(room, Some("Bauamt")).await.unwrap();
        tx.set_member(room, anna, &joined("Anna")).await.unwrap();
        tx.set_member(room, bob, &Member { membership: Membership::Invite, name: None }).await.unwrap();
        tx.set_encrypted(room).await.unwrap();
        let portal = tx.portals(&[room]).await.unwrap().remove(room).unwrap();
        assert_eq!((portal.name.as_deref(), portal.encrypted, portal.members.len()), (Some("Bauamt"), true, 2));
        assert_eq!(portal.members[anna], joined("Anna"));
        assert_eq!(portal.members[bob].membership, Membership::Invite);
        tx.remove_member(room, anna).await.unwrap();
        assert!(!tx.portals(&[room]).await.unwrap()[room].members.contains_key(anna));
        tx.park(room, event_id!("$1"), "{}").await.unwrap();
        let after = tx.last_parked(room).await.unwrap();
        tx.park(room, event_id!("$2"), "{\"b\":1}").await.unwrap();
        let parked = tx.parked(room, after).await.unwrap();
        assert_eq!(
            parked.iter().map(|p| (p.event_id.as_str(), p.event.as_str())).collect::<Vec<_>>(),
            [("$2", "{\"b\":1}")]
        );
        tx.unpark_room(room).await.unwrap();
        assert!(tx.parked(room, 0).await.unwrap().is_empty());
    }

    pub async fn of_a_large_room_only_those_are_read_who_matter(store: Store, _: &str) {
        let (room, anna, bob) = (room_id!("!r:x"), user_id!("@anna:x"), user_id!("@_email_bob:x"));
        let mut tx = store.begin().await.unwrap();
        tx.open_portal(room).await.unwrap();
        tx.set_room_name(room, Some("Bauamt")).await.unwrap();
        for n in 0..150 {
            let user = ruma::UserId::parse(format!("@staff{n}:x")).unwrap();
            tx.set_member(room, &user, &joined("Somebody")).await.unwrap();
        }
        tx.set_member(room, anna, &joined("Anna")).await.unwrap();
        tx.set_member(room, bob, &joined("Bob")).await.unwrap();
        fn concerned<'a>(users: &'a [&'a ruma::UserId]) -> Concerned<'a> {
            Concerned { prefix: "@_", users }
        }
        let all = tx.portals_for(&[room], concerned(&[anna])).await.unwrap().remove(room).unwrap();
        assert_eq!(all.members.len(), 152, "nobody knows yet how large it is");
        for (users, expected) in [(&[anna, anna][..], vec![bob, anna]), (&[], vec![bob])] {
            let portal = tx.portals_for(&[room], concerned(users)).await.unwrap().remove(room).unwrap();
            let members: BTreeSet<&ruma::UserId> = portal.members.keys().map(|user| &**user).collect();
            assert_eq!(members, expected.into_iter().collect());
            assert_eq!((portal.name.as_deref(), &portal.members[bob]), (Some("Bauamt"), &joined("Bob")));
        }
    }

    pub async fn what_is_known_of_a_room_goes_on_in_its_successor(store: Store, _: &str) {
        let (old, new) = (room_id!("!old:x"), room_id!("!new"));
        let (anna, bob) = (user_id!("@anna:x"), user_id!("@_email_bob:x"));
        let mut tx = store.begin().await.unwrap();
        tx.open_portal(old).await.unwrap();
        tx.set_direct(old, anna, bob).await.unwrap();
        for _ in 0..2 {
            tx.succeed(old, new).await.unwrap();
        }
        tx.set_member(new, bob, &joined("Bob")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.successor(old).await.unwrap().as_deref(), Some(new));
        assert_eq!(store.successor(new).await.unwrap(), None);
        assert_eq!(store.predecessors(new).await.unwrap(), [old.to_owned()]);
        let places = store.places("email", &[], anna, bob).await.unwrap();
        assert_eq!(places.direct, Some((new.to_owned(), None)));
    }

    pub async fn a_notice_is_found_by_its_trouble_and_the_other_way_round(store: Store, _: &str) {
        let (event, first, second) = (event_id!("$m"), event_id!("$n1"), event_id!("$n2"));
        let trouble = |to: &str| Trouble {
            event: event.to_owned(),
            connector: "email".into(),
            remote_user: RemoteUserId::new(to),
        };
        let told =
            |notice: &ruma::EventId| Told { notice: notice.to_owned(), speaker: user_id!("@_email_bob:x").to_owned() };
        assert_eq!(store.told(&trouble("bob")).await.unwrap(), None);
        for notice in [first, second] {
            store.note_told(&trouble("bob"), &told(notice)).await.unwrap();
        }
        assert_eq!(store.told(&trouble("bob")).await.unwrap(), Some(told(second)));
        assert_eq!(store.told(&trouble("eve")).await.unwrap(), None);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.trouble_of(second).await.unwrap().as_deref(), Some(event));
        assert_eq!(tx.trouble_of(first).await.unwrap(), None);
        drop(tx);
        assert_eq!(store.forget_notices(now() + 1).await.unwrap(), 1);
    }

    pub async fn two_have_one_direct_room(store: Store, _: &str) {
        let (first, second) = (room_id!("!1:x"), room_id!("!2:x"));
        let (anna, bob, eve) = (user_id!("@anna:x"), user_id!("@_email_bob:x"), user_id!("@_email_eve:x"));
        let mut tx = store.begin().await.unwrap();
        for room in [first, second] {
            tx.open_portal(room).await.unwrap();
            tx.set_member(room, bob, &Member { membership: Membership::Invite, name: None }).await.unwrap();
        }
        assert_eq!(tx.direct_room(anna, bob).await.unwrap(), None);
        tx.set_direct(first, anna, bob).await.unwrap();
        assert!(tx.direct_room(anna, bob).await.unwrap().unwrap().is_in_use(), "the ghost is on its way");
        tx.set_member(first, bob, &joined("Bob")).await.unwrap();
        assert!(!tx.direct_room(anna, bob).await.unwrap().unwrap().is_in_use(), "she has left");
        tx.set_member(first, anna, &joined("Anna")).await.unwrap();
        let known = tx.direct_room(anna, bob).await.unwrap().unwrap();
        assert!(known.is_in_use() && known.room == first);
        assert_eq!(tx.direct_room(anna, eve).await.unwrap(), None);

        tx.set_direct(second, anna, bob).await.unwrap();
        assert_eq!(tx.direct_room(anna, bob).await.unwrap().unwrap().room, second);
        tx.set_encrypted(second).await.unwrap();
        assert_eq!(
            tx.direct_room(anna, bob).await.unwrap(),
            None,
            "nothing crosses there, and the first is none any more"
        );
    }

    pub async fn who_has_chosen_a_language_is_known_by_it(store: Store, _: &str) {
        let (anna, tom, room) = (user_id!("@anna:x"), user_id!("@tom:x"), room_id!("!r:x"));
        assert_eq!(store.language_of(anna).await.unwrap(), None);
        store.choose_language(anna, "en").await.unwrap();
        assert!(!store.user_confirmed_since(anna, 1).await.unwrap(), "the homeserver has not said that she exists");
        store.confirm_user(anna).await.unwrap();
        store.confirm_user(tom).await.unwrap();
        assert_eq!(store.language_of(anna).await.unwrap().as_deref(), Some("en"));
        store.choose_language(anna, "de").await.unwrap();
        assert!(store.user_confirmed_since(anna, 1).await.unwrap());
        let mut tx = store.begin().await.unwrap();
        for user in [anna, tom] {
            tx.set_member(room, user, &joined("x")).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut there = store.languages_in(room).await.unwrap();
        there.sort();
        assert_eq!(there, [(anna.to_owned(), Some("de".to_owned())), (tom.to_owned(), None)]);
    }

    pub async fn what_somebody_has_done_is_counted_for_each_of_them(store: Store, _: &str) {
        let (anna, tom) = (user_id!("@anna:x"), user_id!("@tom:x"));
        let spent = |n| Spent { minute: n, in_minute: n + 1, day: n + 2, in_day: n + 3 };
        let mut tx = store.begin().await.unwrap();
        tx.set_spent("message", &[(anna, spent(1)), (tom, spent(2))]).await.unwrap();
        tx.set_spent("message", &[(anna, spent(5))]).await.unwrap();
        tx.set_spent("conversation", &[(anna, spent(9))]).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let found = tx.spent("message", &[anna, tom, user_id!("@eve:x")]).await.unwrap();
        assert_eq!((found.len(), found[anna], found[tom]), (2, spent(5), spent(2)));
        assert_eq!(tx.spent("conversation", &[anna]).await.unwrap()[anna], spent(9));
    }

    pub async fn the_bot_s_rooms_are_known_until_they_are_closed(store: Store, _: &str) {
        let (one, other) = (room_id!("!1:x"), room_id!("!2:x"));
        let mut tx = store.begin().await.unwrap();
        tx.open_management_room(one, user_id!("@tom:x")).await.unwrap();
        tx.open_management_room(one, user_id!("@anna:x")).await.unwrap();
        let found = tx.management_rooms(&[one, other]).await.unwrap();
        assert_eq!((found.len(), found[one].as_str()), (1, "@anna:x"));
        tx.close_management_room(one).await.unwrap();
        assert!(tx.management_rooms(&[one, other]).await.unwrap().is_empty());
    }

    pub async fn what_has_not_arrived_is_found_by_lane_and_room(store: Store, _: &str) {
        let (room, anna) = (room_id!("!r:x"), user_id!("@anna:x"));
        let ghost = Ghost {
            mxid: user_id!("@_email_bob:x").to_owned(),
            connector: "email".into(),
            remote_user: RemoteUserId::new("bob@example.org"),
            name: "Bob".into(),
        };
        store.save_ghost(&ghost).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.open_portal(room).await.unwrap();
        tx.set_member(room, anna, &joined("Anna")).await.unwrap();
        tx.set_member(room, &ghost.mxid, &joined("Bob")).await.unwrap();
        tx.commit().await.unwrap();
        let partners = store.partners(anna).await.unwrap();
        let found: Vec<_> = partners.iter().map(|it| (&*it.room, it.remote_user.as_str(), it.name.as_str())).collect();
        assert_eq!(found, [(room, "bob@example.org", "Bob")]);
        assert!(store.partners(user_id!("@tom:x")).await.unwrap().is_empty());

        add(&store, &[("a", "first"), ("b", "second"), ("c", "third")]).await;
        let rows = claim(&store, 1).await;
        end(&store, &rows[0], Outcome::Dead { error: "refused: no".into() }).await;
        let lanes: Vec<String> = ["b", "x", "a"].map(str::to_owned).into();
        let mut standing = store.standing(&lanes).await.unwrap();
        standing.sort_by_key(|(place, _)| *place);
        let found: Vec<_> = standing.iter().map(|(place, it)| (*place, it.dead, it.last_error.as_deref())).collect();
        assert_eq!(found, [(0, false, None), (2, true, Some("refused: no"))]);
        assert_eq!(standing[0].1.payload, b"second");

        let message = message(event_id!("$1"), "m1");
        let rows = claim(&store, 1).await;
        end(
            &store,
            &rows[0],
            Outcome::Done {
                messages: vec![message.clone()],
                thread: None,
                originals: Vec::new(),
                versions: Vec::new(),
            },
        )
        .await;
        assert!(store.returned(&[room], 0).await.unwrap().is_empty());
        store.set_message_state(&message, MessageState::Failed).await.unwrap();
        let returned = store.returned(&[room_id!("!other:x"), room], 0).await.unwrap();
        assert_eq!(returned, [(room.to_owned(), event_id!("$1").to_owned())]);
        assert!(store.returned(&[room], now() + 60_000).await.unwrap().is_empty());
    }

    pub async fn a_watermark_never_goes_back(store: Store, _: &str) {
        let (room, anna) = (room_id!("!r:x"), user_id!("@anna:x"));
        let rooms = [room.to_owned(), room_id!("!other:x").to_owned()];
        let mark = async |read_to: Option<&str>, read_at| {
            let read_to = read_to.map(str::to_owned);
            let mut tx = store.begin().await.unwrap();
            tx.set_watermarks(&[Watermark { room: room.to_owned(), read_to, read_at, active: false }]).await.unwrap();
            tx.commit().await.unwrap();
            store.unread(&rooms).await.unwrap()
        };
        assert!(mark(Some("s1"), 10).await.is_empty(), "it is no portal");
        let mut tx = store.begin().await.unwrap();
        tx.open_portal(room).await.unwrap();
        tx.set_member(room, anna, &joined("Anna")).await.unwrap();
        let invited = Member { membership: Membership::Invite, name: None };
        tx.set_member(room, user_id!("@bob:x"), &invited).await.unwrap();
        tx.commit().await.unwrap();
        let unread = |read_to: Option<&str>| {
            let read_to = read_to.map(str::to_owned);
            vec![Unread { room: room.to_owned(), read_to, joined: vec![anna.to_owned()], is_of_bot: false }]
        };
        assert_eq!(store.unread(&rooms).await.unwrap(), unread(None));
        assert_eq!(store.oldest_reading().await.unwrap(), None);
        assert_eq!(mark(Some("s5"), 50).await, unread(Some("s5")));
        assert_eq!(mark(Some("s4"), 40).await, unread(Some("s5")));
        assert_eq!(mark(None, 60).await, unread(Some("s5")));
        assert_eq!(store.oldest_reading().await.unwrap(), Some(60));
        let mut tx = store.begin().await.unwrap();
        tx.begin_reading(room, "", 55).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.unread(&rooms).await.unwrap(), unread(Some("")), "whoever comes first begins anew");
    }

    pub async fn the_sweep_goes_from_the_longest_unread_on(store: Store, _: &str) {
        let rooms = ["!a:x", "!b:x", "!c:x"].map(|room| ruma::OwnedRoomId::try_from(room).unwrap());
        let [a, b, c] = rooms.clone();
        let mut tx = store.begin().await.unwrap();
        for room in &rooms {
            tx.open_portal(room).await.unwrap();
        }
        let mark = |room: &ruma::RoomId, read_at, active| Watermark {
            room: room.to_owned(),
            read_to: Some("s".into()),
            read_at,
            active,
        };
        tx.set_watermarks(&[mark(&a, 30, true), mark(&b, 10, false), mark(&c, 20, true)]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.active_portals(20, 10).await.unwrap(), [a.clone(), c.clone()]);
        assert_eq!(store.active_portals(20, 1).await.unwrap(), std::slice::from_ref(&a));
        assert_eq!(store.active_portals(21, 10).await.unwrap(), std::slice::from_ref(&a));
        assert_eq!(store.longest_unread(30, 0, 10).await.unwrap(), [b, c.clone()]);
        assert_eq!(store.longest_unread(31, 1, 10).await.unwrap(), [c, a]);
    }

    pub async fn arrivals_find_the_room_of_their_thread_and_of_the_pair(store: Store, _: &str) {
        let (room, anna, bob) = (room_id!("!r:x"), user_id!("@anna:x"), user_id!("@_email_bob:x"));
        let answers = [RemoteMessageId::new("unknown@x"), RemoteMessageId::new("m1@x")];
        let mut tx = store.begin().await.unwrap();
        tx.open_portal(room).await.unwrap();
        tx.set_member(room, bob, &joined("Bob")).await.unwrap();
        tx.set_member(room, anna, &joined("Anna")).await.unwrap();
        tx.commit().await.unwrap();
        let places =
            async |answers: &[RemoteMessageId], ghost| store.places("email", answers, anna, ghost).await.unwrap();
        let room_of = async |members: &[&ruma::UserId]| store.room_of(members, bob).await.unwrap();
        assert_eq!(room_of(&[anna, bob]).await.as_deref(), Some(room));
        let eve = user_id!("@_email_eve:x");
        let nowhere = Places { connector: "email".into(), ..Places::default() };
        assert_eq!((room_of(&[bob]).await, room_of(&[anna, bob, eve]).await), (None, None), "just these people");
        assert_eq!(places(&answers, bob).await, nowhere);

        add(&store, &[("a", "a1")]).await;
        let a1 = claim(&store, 1).await.remove(0);
        end(
            &store,
            &a1,
            Outcome::Done {
                messages: vec![message(event_id!("$e1"), "m1@x")],
                thread: None,
                originals: Vec::new(),
                versions: Vec::new(),
            },
        )
        .await;
        let known = places(&answers, bob).await.known.remove(0);
        assert_eq!((known.room.as_ref(), known.event.as_str(), known.message.as_str()), (room, "$e1", "m1@x"));
        assert!(known.ghost_is_in && known.staff_is_in);
        assert_eq!(places(&[], bob).await, nowhere);
        let known = places(&answers, eve).await.known.remove(0);
        assert!(!known.ghost_is_in, "who is not in the room does not get in by naming its thread");

        let newer = room_id!("!newer:x");
        let mut tx = store.begin().await.unwrap();
        tx.set_direct(room, anna, bob).await.unwrap();
        tx.remove_member(room, anna).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(places(&answers, bob).await.direct, Some((room.to_owned(), None)));
        assert_eq!(room_of(&[anna, bob]).await, None);
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut tx = store.begin().await.unwrap();
        tx.open_portal(newer).await.unwrap();
        tx.set_direct(newer, anna, bob).await.unwrap();
        tx.set_member(newer, bob, &joined("Bob")).await.unwrap();
        tx.set_member(newer, anna, &joined("Anna")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(places(&[], bob).await.direct, Some((newer.to_owned(), Some(Membership::Join))));
    }

    pub async fn many_who_ask_at_once_each_find_their_own_place(store: Store, _: &str) {
        let anna = user_id!("@anna:x");
        let ghost = |n: usize| ruma::UserId::parse(format!("@_email_{n}:x")).unwrap();
        let room = |n: usize| ruma::RoomId::parse(format!("!{n}:x")).unwrap();
        let mut tx = store.begin().await.unwrap();
        for n in 0..100 {
            tx.open_portal(&room(n)).await.unwrap();
            tx.set_direct(&room(n), anna, &ghost(n)).await.unwrap();
            tx.set_member(&room(n), &ghost(n), &joined("Bob")).await.unwrap();
            tx.set_member(&room(n), anna, &joined("Anna")).await.unwrap();
        }
        tx.commit().await.unwrap();
        add(&store, &[("a", "a1")]).await;
        let a1 = claim(&store, 1).await.remove(0);
        let known = Message { room_id: room(7), ..message(event_id!("$e7"), "m7@x") };
        end(
            &store,
            &a1,
            Outcome::Done { messages: vec![known], thread: None, originals: Vec::new(), versions: Vec::new() },
        )
        .await;
        // More than one statement holds; only the last one is known.
        let answers: Vec<_> = (100..200).chain([7]).map(|n| RemoteMessageId::new(format!("m{n}@x"))).collect();
        let found = futures_util::future::join_all((0..100).map(async |n| {
            let answers = if n % 2 == 1 { &answers[..] } else { &[] };
            store.places("email", answers, anna, &ghost(n)).await.unwrap()
        }));
        for (n, places) in found.await.into_iter().enumerate() {
            assert_eq!(places.direct, Some((room(n), Some(Membership::Join))), "{n}");
            let here = places.known.iter().filter(|known| known.ghost_is_in).map(|known| known.room.clone());
            let found: Vec<_> = here.collect();
            assert_eq!(found, if n == 7 { vec![room(7)] } else { Vec::new() }, "{n}");
        }
    }

    pub async fn a_ghost_keeps_its_newest_name(store: Store, _: &str) {
        let mxid = user_id!("@_email_bob=40example.org:x").to_owned();
        let mut ghost = Ghost {
            mxid: mxid.clone(),
            connector: "email".into(),
            remote_user: RemoteUserId::new("bob@example.org"),
            name: "bob@example.org".into(),
        };
        assert_eq!(store.ghost(&mxid).await.unwrap(), None);
        store.save_ghost(&ghost).await.unwrap();
        ghost.name = "Bob".into();
        store.save_ghost(&ghost).await.unwrap();
        assert_eq!(store.ghost(&mxid).await.unwrap(), Some(ghost));
        assert!(!store.user_confirmed_since(&mxid, 0).await.unwrap());
        store.confirm_user(&mxid).await.unwrap();
        store.confirm_user(&mxid).await.unwrap();
        assert!(store.user_confirmed_since(&mxid, now() - 60_000).await.unwrap());
        assert!(!store.user_confirmed_since(&mxid, now() + 60_000).await.unwrap());
    }

    pub async fn what_waits_can_change_and_go_until_it_is_claimed(store: Store, _: &str) {
        let later = now() + 60_000;
        let held = |lane: &str, source: &str| NewRow { due_at: later, ..row(lane, source) };
        let mut tx = store.begin().await.unwrap();
        let rows = vec![row("a", "a1"), held("a", "a2"), held("b", "b1"), row("c", "c1"), held("c", "c2")];
        tx.enqueue(Queue::Outbox, rows);
        tx.commit().await.unwrap();
        let leased = claim(&store, 1).await.remove(0);
        let dead = claim(&store, 1).await.remove(0);
        assert_eq!((leased.source.as_str(), dead.source.as_str()), ("a1", "c1"));
        end(&store, &dead, Outcome::Dead { error: "refused: no".into() }).await;

        let lanes = ["a", "b", "c"].map(str::to_owned);
        let mut tx = store.begin().await.unwrap();
        let found = tx.waiting(&lanes, Scope::Held).await.unwrap();
        let seen = |rows: &[fehmarn::store::Waiting]| -> Vec<(String, Progress)> {
            rows.iter().map(|row| (row.source.as_str().to_owned(), row.progress)).collect()
        };
        assert_eq!(seen(&found), ["a2", "b1", "c2"].map(|source| (source.to_owned(), Progress::Held)));
        let all = tx.waiting(&lanes, Scope::All).await.unwrap();
        let expected = [
            ("a1", Progress::Leased),
            ("a2", Progress::Held),
            ("b1", Progress::Held),
            ("c1", Progress::Dead),
            ("c2", Progress::Held),
        ];
        assert_eq!(seen(&all), expected.map(|(source, progress)| (source.to_owned(), progress)));
        assert!(tx.waiting(&["d".to_owned()], Scope::All).await.unwrap().is_empty());
        tx.revise(all[0].id, b"next time".to_vec(), 0).await.unwrap();
        tx.revise(all[2].id, b"changed".to_vec(), now()).await.unwrap();
        tx.withdraw(all[1].id, "a".into()).await.unwrap();
        tx.commit().await.unwrap();

        let b1 = claim(&store, 10).await;
        assert_eq!((sources(&b1), b1[0].payload.as_slice()), (BTreeSet::from(["b1"]), &b"changed"[..]));
        assert!(claim(&store, 10).await.is_empty(), "what is being worked on stays leased");
        end(&store, &leased, Outcome::Retry { at: now(), error: "busy: later".into() }).await;
        assert_eq!(claim(&store, 10).await[0].payload, b"next time");
        end(&store, &leased, done()).await;
        assert!(claim(&store, 10).await.is_empty(), "a2 is gone");
    }

    pub async fn it_is_known_whether_a_room_of_a_name_has_other_ghosts(store: Store, _: &str) {
        let (room, anna, bob) = (room_id!("!r:x"), user_id!("@anna:x"), user_id!("@_email_bob:x"));
        let (tom, eve) = (user_id!("@tom:x"), user_id!("@_email_eve:x"));
        for mxid in [bob, eve] {
            let remote_user = RemoteUserId::new(mxid.localpart());
            let ghost = Ghost { mxid: mxid.to_owned(), connector: "email".into(), remote_user, name: "x".into() };
            store.save_ghost(&ghost).await.unwrap();
        }
        let mut tx = store.begin().await.unwrap();
        tx.open_portal(room).await.unwrap();
        for mxid in [anna, tom, bob] {
            tx.set_member(room, mxid, &joined("x")).await.unwrap();
        }
        tx.commit().await.unwrap();
        add(&store, &[("a", "a1")]).await;
        let a1 = claim(&store, 1).await.remove(0);
        let thread = ThreadState {
            room_id: room.to_owned(),
            thread: None,
            connector: "email".into(),
            subject: Some("Antrag".into()),
            root: RemoteMessageId::new("m1@x"),
            last: RemoteMessageId::new("m1@x"),
            previous: None,
            anew: false,
        };
        end(
            &store,
            &a1,
            Outcome::Done { messages: Vec::new(), thread: Some(thread), originals: Vec::new(), versions: Vec::new() },
        )
        .await;
        let named = async || store.places("email", &[], anna, bob).await.unwrap().named.remove(0);
        assert_eq!((named().await.subject.as_str(), named().await.has_others), ("Antrag", false));
        let mut tx = store.begin().await.unwrap();
        tx.set_member(room, eve, &joined("Eve")).await.unwrap();
        tx.commit().await.unwrap();
        assert!(named().await.has_others);
    }

    pub async fn all_of_a_message_is_kept_until_it_is_taken_back(store: Store, _: &str) {
        let file = Attachment {
            name: "Original \u{2013} Antrag.eml".into(),
            media_type: "message/rfc822".into(),
            location: String::new(),
            bytes: bytes::Bytes::from_static(b"Subject: \xfc\0\r\n"),
        };
        let originals = vec![Original { event_id: event_id!("$e").to_owned(), file: file.clone() }];
        add(&store, &[("a", "a1")]).await;
        let a1 = claim(&store, 1).await.remove(0);
        assert_eq!(store.original(event_id!("$e")).await.unwrap(), None);
        end(&store, &a1, Outcome::Done { messages: Vec::new(), thread: None, originals, versions: Vec::new() }).await;
        assert_eq!(store.original(event_id!("$e")).await.unwrap(), Some(file));
        assert_eq!(store.original(event_id!("$other")).await.unwrap(), None);
        let mut tx = store.begin().await.unwrap();
        tx.forget_original(event_id!("$e")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.original(event_id!("$e")).await.unwrap(), None);
    }

    pub async fn each_matrix_thread_is_a_conversation_and_a_new_subject_begins_one(store: Store, _: &str) {
        let root = event_id!("$root").to_owned();
        let state = |thread: Option<&ruma::OwnedEventId>, root: &str, last: &str, subject: &str| ThreadState {
            room_id: room_id!("!r:x").to_owned(),
            thread: thread.cloned(),
            connector: "email".into(),
            subject: Some(subject.into()),
            root: RemoteMessageId::new(root),
            last: RemoteMessageId::new(last),
            previous: None,
            anew: false,
        };
        let mut count = 0;
        let mut record = async |state: ThreadState| {
            count += 1;
            let source = format!("a{count}");
            add(&store, &[("a", &source)]).await;
            let claimed = claim(&store, 1).await.remove(0);
            let known = claimed.thread.clone();
            end(
                &store,
                &claimed,
                Outcome::Done {
                    messages: Vec::new(),
                    thread: Some(state),
                    originals: Vec::new(),
                    versions: Vec::new(),
                },
            )
            .await;
            known
        };
        assert_eq!(record(state(None, "m1@x", "m1@x", "Antrag")).await, None);
        record(state(Some(&root), "m1@x", "t1@x", "Antrag")).await;
        let in_thread = store.thread(room_id!("!r:x"), "email", &root).await.unwrap().unwrap();
        assert_eq!(in_thread, state(Some(&root), "m1@x", "t1@x", "Antrag"));
        assert_eq!(store.thread(room_id!("!r:x"), "sms", &root).await.unwrap(), None);

        let outside = record(ThreadState { anew: true, ..state(None, "n1@x", "n1@x", "Neues") }).await.unwrap();
        assert_eq!(
            outside,
            state(None, "m1@x", "m1@x", "Antrag"),
            "a Matrix thread leaves the room's conversation alone"
        );
        let anew = record(state(None, "n1@x", "n2@x", "Neues")).await.unwrap();
        assert_eq!(anew, state(None, "n1@x", "n1@x", "Neues"));
        // Another recipient of the first message comes late.
        let before = record(ThreadState { anew: true, ..state(None, "n1@x", "n1@x", "Neues") }).await.unwrap();
        let expected =
            ThreadState { previous: Some(RemoteMessageId::new("n1@x")), ..state(None, "n1@x", "n2@x", "Neues") };
        assert_eq!(before, expected);
        assert_eq!(record(state(None, "n1@x", "n2@x", "Neues")).await, Some(expected.clone()));
        assert_eq!(record(state(None, "n1@x", "n3@x", "Neues")).await, Some(expected), "a repeat changes nothing");

        let in_thread = Message { thread: Some(root.clone()), ..message(event_id!("$e2"), "t1@x") };
        let messages = vec![message(event_id!("$e1"), "m1@x"), in_thread.clone()];
        add(&store, &[("a", "last")]).await;
        let last = claim(&store, 1).await.remove(0);
        end(&store, &last, Outcome::Done { messages, thread: None, originals: Vec::new(), versions: Vec::new() }).await;
        assert_eq!(
            store.crossed(&[event_id!("$e2"), event_id!("$no")]).await.unwrap(),
            std::slice::from_ref(&in_thread)
        );
        assert_eq!(store.begin().await.unwrap().crossed(event_id!("$e2")).await.unwrap(), [in_thread]);
        assert!(store.crossed(&[]).await.unwrap().is_empty());
    }

    pub async fn reactions_wait_for_each_person_until_they_are_told(store: Store, _: &str) {
        let reaction = |event: &ruma::EventId, to: &str, at: i64| Pending {
            event_id: event.to_owned(),
            connector: "email".into(),
            remote_user: RemoteUserId::new(to),
            room_id: room_id!("!r:x").to_owned(),
            target: event_id!("$old").to_owned(),
            emoji: "👍🏽".into(),
            writer: "anna".into(),
            name: "Anna Muster".into(),
            at,
        };
        let all = [
            reaction(event_id!("$1"), "bob@example.org", 1),
            reaction(event_id!("$1"), "eve@example.org", 2),
            reaction(event_id!("$2"), "bob@example.org", now()),
        ];
        let mut tx = store.begin().await.unwrap();
        for reaction in all.iter().chain(&all) {
            tx.add_reaction(reaction).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.reactions(&[room_id!("!r:x"), room_id!("!s:x")]).await.unwrap(), all);
        assert!(tx.reactions(&[room_id!("!s:x")]).await.unwrap().is_empty());
        tx.drop_reaction(event_id!("$1"), "email", &RemoteUserId::new("bob@example.org")).await.unwrap();
        assert_eq!(tx.reactions(&[room_id!("!r:x")]).await.unwrap(), all[1..]);
        tx.commit().await.unwrap();
        assert_eq!(store.forget_reactions(now() - 60_000).await.unwrap(), 1);
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.reactions(&[room_id!("!r:x")]).await.unwrap(), all[2..]);
    }

    pub async fn it_is_known_who_shows_reactions(store: Store, _: &str) {
        let (bob, eve) = (RemoteUserId::new("bob@example.org"), RemoteUserId::new("eve@example.org"));
        let mut tx = store.begin().await.unwrap();
        tx.note_peer("email", &bob, true).await.unwrap();
        assert!(tx.shows_reactions("email", &bob).await.unwrap());
        assert!(!tx.shows_reactions("sms", &bob).await.unwrap());
        assert!(!tx.shows_reactions("email", &eve).await.unwrap());
        tx.note_peer("email", &bob, false).await.unwrap();
        assert!(!tx.shows_reactions("email", &bob).await.unwrap());
    }

    pub async fn strange_texts_come_back_as_they_were(store: Store, _: &str) {
        let name = "Größe 👋🏽 'quote\" \\ ; DROP TABLE outbox; -- \u{202e}";
        let mut tx = store.begin().await.unwrap();
        tx.open_portal(room_id!("!r:x")).await.unwrap();
        tx.set_member(room_id!("!r:x"), user_id!("@anna:x"), &joined(name)).await.unwrap();
        let bytes: Vec<u8> = (0..=255).collect();
        tx.enqueue(Queue::Outbox, vec![NewRow { payload: bytes.clone(), ..row(name, "a1") }]);
        let portal = tx.portals(&[room_id!("!r:x")]).await.unwrap().remove(room_id!("!r:x")).unwrap();
        assert_eq!(portal.members[user_id!("@anna:x")].name.as_deref(), Some(name));
        tx.commit().await.unwrap();
        let row = claim(&store, 1).await.remove(0);
        assert_eq!((row.lane.as_str(), row.payload), (name, bytes));
    }

    pub async fn a_secret_is_made_once(store: Store, url: &str) {
        assert_eq!(store.secret("key", [1; 32]).await.unwrap(), [1; 32]);
        assert_eq!(store.secret("key", [2; 32]).await.unwrap(), [1; 32]);
        assert_eq!(store.secret("pepper", [3; 32]).await.unwrap(), [3; 32]);
        assert_eq!(Store::open(url).await.unwrap().secret("key", [4; 32]).await.unwrap(), [1; 32]);
    }

    pub async fn tokens_and_terms_are_known_until_they_are_forgotten(store: Store, _: &str) {
        let (anna, otto) = (user_id!("@anna:x"), user_id!("@otto:x"));
        let owner = async |hash: &str, since: i64| store.token_owner(hash, since).await.unwrap();
        store.add_token("a", anna).await.unwrap();
        store.add_token("b", anna).await.unwrap();
        store.add_token("c", otto).await.unwrap();
        assert_eq!(owner("a", 0).await.as_deref(), Some(anna));
        assert_eq!(owner("c", 0).await.as_deref(), Some(otto));
        assert_eq!((owner("d", 0).await, owner("a", now() + 60_000).await), (None, None));
        store.drop_token("a").await.unwrap();
        assert_eq!((owner("a", 0).await, owner("b", 0).await.as_deref()), (None, Some(anna)));
        assert_eq!(store.forget_tokens(now() - 60_000).await.unwrap(), 0);
        assert_eq!(store.forget_tokens(now() + 60_000).await.unwrap(), 2);
        assert_eq!(owner("b", 0).await, None);

        store.accept_terms(anna, "1 https://x").await.unwrap();
        store.accept_terms(anna, "1 https://x").await.unwrap();
        assert!(store.has_accepted(anna, "1 https://x").await.unwrap());
        assert!(!store.has_accepted(anna, "2 https://x").await.unwrap());
        assert!(!store.has_accepted(otto, "1 https://x").await.unwrap());
    }

    pub async fn ghosts_are_found_by_what_was_worked_out(store: Store, _: &str) {
        let ghost = |n: usize| Ghost {
            mxid: ruma::UserId::parse(format!("@_email_{n}:x")).unwrap(),
            connector: "email".into(),
            remote_user: RemoteUserId::new(format!("{n}@example.org")),
            name: format!("{n}"),
        };
        for n in 0..40 {
            store.save_ghost(&ghost(n)).await.unwrap();
        }
        assert_eq!(store.ghosts_without_lookup(7).await.unwrap().len(), 7);
        let hash = |n: usize| if n == 0 { String::new() } else { format!("hash {n}") };
        let hashes: Vec<_> = (0..39).map(|n| (ghost(n).mxid, hash(n))).collect();
        store.set_lookups(&hashes).await.unwrap();
        assert_eq!(store.ghosts_without_lookup(100).await.unwrap(), [ghost(39)]);
        // A name that comes later changes nothing.
        store.save_ghost(&Ghost { name: "Bob".into(), ..ghost(1) }).await.unwrap();
        let asked: Vec<_> = (0..50).map(hash).collect();
        let found = store.ghosts_by_lookup(&asked).await.unwrap();
        assert_eq!(found.len(), 38, "nobody is found by nothing");
        assert!(found.iter().all(|(lookup, mxid)| (1..39).any(|n| *lookup == hash(n) && *mxid == ghost(n).mxid)));
    }

    pub async fn it_can_be_opened_twice(store: Store, url: &str) {
        add(&store, &[("a", "a1")]).await;
        let second = Store::open(url).await.unwrap();
        assert_eq!(second.counts(Queue::Outbox).await.unwrap().live, 1);
        add(&second, &[("b", "b1")]).await;
        assert_eq!(claim(&store, 10).await.len(), 2);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_fehmarn_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/test.db", folder.path().display());
    drop(Store::open(&url).await.unwrap());
    let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'later', TRUE, x'00', 0)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    let error = Store::open(&url).await.err().unwrap().to_string();
    assert!(error.contains("newer Fehmarn"), "{error}");
}

#[tokio::test]
async fn only_the_owner_may_read_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    Store::open(&format!("sqlite:{}", path.display())).await.unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

//! Where arrivals belong. Each of them asks, so those who ask at the same time share a statement.

use super::{
    Error, Membership, MessageState, Store,
    people::parse,
    rooms::read_membership,
    sql::{self, Marks},
    together::Together,
};
use crate::ids::{RemoteMessageId, RemoteUserId};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use sqlx::{Row as _, any::AnyRow};
use std::cmp::Reverse;
use tokio::task::yield_now;

/// What is known that may tell the room of an arrival from a ghost to a member of staff.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub connector: String,
    /// The events of the messages that were asked for, the newest first.
    pub known: Vec<Known>,
    /// The newest direct room of the two, as long as the ghost is in it and no other; and how the member of staff stands
    /// there.
    pub direct: Option<(OwnedRoomId, Option<Membership>)>,
    /// The conversations in the rooms that both are in, the newest room first.
    pub named: Vec<Named>,
}

/// A conversation that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub subject: String,
    pub room: OwnedRoomId,
    /// The root of its Matrix thread; `None` outside of them.
    pub thread: Option<OwnedEventId>,
    /// Whether there are other ghosts in the room.
    pub has_others: bool,
}

/// An event that is a remote message, and whether the two are in its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub message: RemoteMessageId,
    pub event: OwnedEventId,
    pub room: OwnedRoomId,
    /// The root of its Matrix thread; `None` outside of them.
    pub thread: Option<OwnedEventId>,
    /// The remote person: the recipient, or the sender if the state is `Received`.
    pub person: RemoteUserId,
    pub state: MessageState,
    /// The ghost has joined.
    pub ghost_is_in: bool,
    pub staff_is_in: bool,
    /// Whether there are other ghosts in the room.
    pub has_others: bool,
}

/// What a room says of other ghosts in it.
const OTHERS: &str = "others";
/// What a room is, in the place of a message's state.
const DIRECT: &str = "room of the two";
const SHARED: &str = "room of both";

/// An arrival from this ghost to this member of staff.
pub(super) struct Question {
    connector: String,
    asked: Vec<RemoteMessageId>,
    staff: OwnedUserId,
    ghost: OwnedUserId,
}

pub(super) type Questions = Together<Question, Places>;

impl Store {
    /// One look for all of it, since most arrivals need no more. `asked`: remote messages.
    pub async fn places(
        &self,
        connector: &str,
        asked: &[RemoteMessageId],
        staff: &UserId,
        ghost: &UserId,
    ) -> Result<Places, Error> {
        let question = Question {
            connector: connector.to_owned(),
            asked: asked.to_vec(),
            staff: staff.to_owned(),
            ghost: ghost.to_owned(),
        };
        let serve = || drop(tokio::spawn(answer_all(self.clone())));
        self.0.questions.ask(question, serve).await
    }
}

async fn answer_all(store: Store) {
    let serving = store.0.questions.serving();
    while !serving.is_done() {
        // Those who are about to ask come first.
        yield_now().await;
        let (questions, replies) = serving.next(sql::ROWS_AT_ONCE);
        match find(&store, &questions).await {
            Ok(places) => replies.into_iter().zip(places).for_each(|(reply, places)| drop(reply.send(Ok(places)))),
            Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
        }
    }
}

async fn find(store: &Store, questions: &[Question]) -> Result<Vec<Places>, Error> {
    let connector = |question: &Question| Places { connector: question.connector.clone(), ..Places::default() };
    let mut places: Vec<Places> = questions.iter().map(connector).collect();
    let mut reader = store.reader().await?;
    let wanted: Vec<Wanted<'_>> = (0i64..).zip(questions).flat_map(|(n, question)| question.wanted(n)).collect();
    let mut rows = Vec::new();
    for chunk in wanted.chunks(sql::ROWS_AT_ONCE) {
        let lines = sql::rounded(chunk.len());
        let mut query = sql::query(look(store.0.marks, lines));
        let nothing = chunk.last().map(|last| Wanted { message: "", is_first: false, ..*last });
        for Wanted { n, question, message, is_first } in chunk.iter().chain(nothing.iter().cycle()).take(lines) {
            query = query
                .bind(*n)
                .bind(&question.connector)
                .bind(*message)
                .bind(question.ghost.as_str())
                .bind(question.staff.as_str())
                .bind(i64::from(*is_first));
        }
        rows.extend(query.fetch_all(&mut *reader).await?);
    }
    // The newest first. Not by the database, which would sort each half by itself and merge them.
    let mut dated = rows.iter().map(|row| Ok((row.try_get(1)?, row))).collect::<Result<Vec<(i64, _)>, Error>>()?;
    dated.sort_by_key(|(at, _)| Reverse(*at));
    for (_, row) in dated {
        let n = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
        if let Some(places) = places.get_mut(n) {
            places.add(row)?;
        }
    }
    Ok(places)
}

/// The statement for so many lines: the messages that are asked for, and the rooms that the ghost is in with the member of
/// staff, or was alone with them. Each join is a CROSS JOIN, which SQLite takes in the order written: it knows nothing of
/// how many rows there are, and would rather read all members of all rooms than a few lines twice.
fn look(marks: Marks, lines: usize) -> String {
    let values = marks.values(lines, 6);
    let others = format!(
        "CASE WHEN EXISTS (SELECT 1 FROM members o JOIN ghosts ON ghosts.mxid = o.mxid
         WHERE o.room_id = g.room_id AND o.mxid <> w.ghost) THEN '{OTHERS}' ELSE '' END"
    );
    format!(
        "WITH wanted (n, connector, message, ghost, staff, is_first) AS (VALUES {values})
         SELECT w.n, m.at, m.room_id, m.thread, g.membership, s.membership, {others}, m.remote_message, m.event_id,
                m.remote_user, m.state
         FROM wanted w CROSS JOIN messages m
         LEFT JOIN members g ON g.room_id = m.room_id AND g.mxid = w.ghost
         LEFT JOIN members s ON s.room_id = m.room_id AND s.mxid = w.staff
         WHERE m.connector = w.connector AND m.remote_message = w.message
         UNION ALL
         SELECT w.n, p.opened_at, g.room_id, t.thread, g.membership, s.membership, {others}, t.subject, '',
                '', CASE WHEN p.direct_ghost = w.ghost AND p.direct_user = w.staff THEN '{DIRECT}' ELSE '{SHARED}' END
         FROM wanted w CROSS JOIN members g CROSS JOIN portals p
         LEFT JOIN members s ON s.room_id = g.room_id AND s.mxid = w.staff
         LEFT JOIN threads t ON t.room_id = g.room_id AND t.connector = w.connector AND t.subject IS NOT NULL
         WHERE w.is_first = 1 AND g.mxid = w.ghost AND g.membership = 'join' AND p.room_id = g.room_id
         AND (s.mxid IS NOT NULL OR p.direct_user = w.staff)"
    )
}

/// A line of the question: one for each message that is asked for, and one in any case.
struct Wanted<'q> {
    n: i64,
    question: &'q Question,
    message: &'q str,
    is_first: bool,
}

impl Question {
    fn wanted(&self, n: i64) -> impl Iterator<Item = Wanted<'_>> {
        let none = self.asked.is_empty().then_some("");
        let messages = self.asked.iter().map(RemoteMessageId::as_str).chain(none);
        messages.enumerate().map(move |(at, message)| Wanted { n, question: self, message, is_first: at == 0 })
    }
}

impl Places {
    fn add(&mut self, row: &AnyRow) -> Result<(), Error> {
        let room: OwnedRoomId = parse(row, 2)?;
        let has_others = row.try_get::<String, _>(6)? == OTHERS;
        let state: String = row.try_get(10)?;
        let is_direct = match state.as_str() {
            DIRECT => true,
            SHARED => false,
            state => {
                self.known.push(read_known(row, room, has_others, MessageState::parse(state))?);
                return Ok(());
            }
        };
        let staff = read_membership(row, 5)?;
        if is_direct && !has_others && self.direct.is_none() {
            self.direct = Some((room.clone(), staff));
        }
        if let (Some(_), Some(subject)) = (staff, row.try_get(7)?) {
            self.named.push(Named { subject, room, thread: read_thread(row)?, has_others });
        }
        Ok(())
    }
}

/// Of a room without a conversation, nothing.
fn read_thread(row: &AnyRow) -> Result<Option<OwnedEventId>, Error> {
    let text: Option<String> = row.try_get(3)?;
    if text.is_none_or(|text| text.is_empty()) { Ok(None) } else { parse(row, 3).map(Some) }
}

fn read_known(row: &AnyRow, room: OwnedRoomId, has_others: bool, state: MessageState) -> Result<Known, Error> {
    Ok(Known {
        message: RemoteMessageId::new(row.try_get::<String, _>(7)?),
        event: parse(row, 8)?,
        room,
        thread: read_thread(row)?,
        person: RemoteUserId::new(row.try_get::<String, _>(9)?),
        state,
        ghost_is_in: read_membership(row, 4)? == Some(Membership::Join),
        staff_is_in: read_membership(row, 5)?.is_some(),
        has_others,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a million ghosts, one table that is read from its beginning to its end would be the end of all speed.
    #[tokio::test]
    async fn a_look_for_rooms_reads_no_table_from_end_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}/test.db", folder.path().display())).await.unwrap();
        for lines in [1, 8, sql::ROWS_AT_ONCE] {
            let mut plan = sql::query(format!("EXPLAIN QUERY PLAN {}", look(store.0.marks, lines)));
            for _ in 0..lines * 6 {
                plan = plan.bind("");
            }
            let steps = plan.fetch_all(&mut *store.reader().await.unwrap()).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.try_get(3).unwrap()).collect();
            let reads_all = |step: &&String| {
                let own = ["SCAN w", "SCAN CONSTANT ROW", "CONSTANT ROWS"].iter().any(|own| step.contains(own));
                step.contains("SCAN") && !own || step.contains("AUTOMATIC")
            };
            assert_eq!(steps.iter().find(reads_all), None, "{steps:#?}");
            assert!(steps.iter().any(|step| step.contains("SEARCH g USING INDEX members_mxid")), "{steps:#?}");
        }
    }
}

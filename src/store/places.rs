//! Where arrivals belong. Each of them asks, so those who ask at the same time share a statement.

use super::{Error, Membership, MessageState, Store, people::parse, rooms::read_membership, sql, together::Together};
use crate::ids::{RemoteMessageId, RemoteUserId};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use sqlx::{Row as _, any::AnyRow};
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
    for chunk in wanted.chunks(sql::ROWS_AT_ONCE) {
        let mut query = sql::query(look(chunk.len()));
        for Wanted { n, question, message, is_first } in chunk {
            query = query
                .bind(*n)
                .bind(&question.connector)
                .bind(*message)
                .bind(question.ghost.as_str())
                .bind(question.staff.as_str())
                .bind(i64::from(*is_first));
        }
        for row in query.fetch_all(&mut *reader).await? {
            let n = usize::try_from(row.try_get::<i64, _>(10)?).unwrap_or(usize::MAX);
            if let Some(places) = places.get_mut(n) {
                places.add(&row)?;
            }
        }
    }
    Ok(places)
}

/// The statement for so many lines. Each join is a CROSS JOIN, which SQLite takes in the order written: it knows nothing of
/// how many rows there are, and would rather read all members of all rooms than a few lines twice.
fn look(lines: usize) -> String {
    let values = sql::values(lines, 6);
    let others = "EXISTS (SELECT 1 FROM members o JOIN ghosts ON ghosts.mxid = o.mxid
                  WHERE o.room_id = g.room_id AND o.mxid <> w.ghost)";
    format!(
        "WITH wanted (n, connector, message, ghost, staff, is_first) AS (VALUES {values})
         SELECT 'message', m.remote_message, m.room_id, m.event_id, m.remote_user, m.state, g.membership,
                s.membership, m.at, m.thread, w.n, CASE WHEN {others} THEN '{OTHERS}' ELSE '' END
         FROM wanted w CROSS JOIN messages m
         LEFT JOIN members g ON g.room_id = m.room_id AND g.mxid = w.ghost
         LEFT JOIN members s ON s.room_id = m.room_id AND s.mxid = w.staff
         WHERE m.connector = w.connector AND m.remote_message = w.message
         UNION ALL
         SELECT 'direct', '', p.room_id, '', '', '', g.membership, s.membership, p.opened_at, '', w.n, ''
         FROM wanted w CROSS JOIN portals p CROSS JOIN members g
         LEFT JOIN members s ON s.room_id = p.room_id AND s.mxid = w.staff
         WHERE w.is_first = 1 AND p.direct_ghost = w.ghost AND p.direct_user = w.staff
         AND g.room_id = p.room_id AND g.mxid = w.ghost AND g.membership = 'join' AND NOT {others}
         UNION ALL
         SELECT 'subject', t.subject, t.room_id, '', '', '', g.membership, s.membership, p.opened_at, t.thread, w.n,
                CASE WHEN {others} THEN '{OTHERS}' ELSE '' END
         FROM wanted w CROSS JOIN members g CROSS JOIN members s CROSS JOIN threads t CROSS JOIN portals p
         WHERE w.is_first = 1 AND g.mxid = w.ghost AND g.membership = 'join'
         AND s.room_id = g.room_id AND s.mxid = w.staff AND p.room_id = g.room_id
         AND t.room_id = g.room_id AND t.connector = w.connector AND t.subject IS NOT NULL ORDER BY 9 DESC"
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
        match row.try_get::<String, _>(0)?.as_str() {
            "message" => self.known.push(read_known(row, room)?),
            "subject" => self.named.push(Named {
                subject: row.try_get(1)?,
                room,
                thread: read_thread(row)?,
                has_others: has_others(row)?,
            }),
            _ if self.direct.is_none() => self.direct = Some((room, read_membership(row, 7)?)),
            _ => {}
        }
        Ok(())
    }
}

fn read_thread(row: &AnyRow) -> Result<Option<OwnedEventId>, Error> {
    let text: String = row.try_get(9)?;
    if text.is_empty() { Ok(None) } else { parse(row, 9).map(Some) }
}

fn has_others(row: &AnyRow) -> Result<bool, Error> {
    Ok(row.try_get::<String, _>(11)? == OTHERS)
}

fn read_known(row: &AnyRow, room: OwnedRoomId) -> Result<Known, Error> {
    Ok(Known {
        message: RemoteMessageId::new(row.try_get::<String, _>(1)?),
        event: parse(row, 3)?,
        room,
        thread: read_thread(row)?,
        person: RemoteUserId::new(row.try_get::<String, _>(4)?),
        state: MessageState::parse(&row.try_get::<String, _>(5)?),
        ghost_is_in: read_membership(row, 6)? == Some(Membership::Join),
        staff_is_in: read_membership(row, 7)?.is_some(),
        has_others: has_others(row)?,
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
            let mut plan = sql::query(format!("EXPLAIN QUERY PLAN {}", look(lines)));
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
            assert!(steps.iter().any(|step| step.contains("SEARCH p USING INDEX portals_direct")), "{steps:#?}");
        }
    }
}

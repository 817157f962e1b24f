//! Where arrivals belong. Each of them asks, so those who ask at the same time share a statement.

use super::{Error, Places, Store, people::parse, rooms::read_membership, sql, together::Together};
use crate::ids::RemoteMessageId;
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use sqlx::Row as _;
use std::collections::HashMap;
use tokio::task::yield_now;

/// An arrival from this ghost to this member of staff.
pub(super) struct Question {
    connector: String,
    answers: Vec<RemoteMessageId>,
    staff: OwnedUserId,
    ghost: OwnedUserId,
}

pub(super) type Questions = Together<Question, Places>;

impl Store {
    /// Where an arrival from this ghost to this member of staff may belong; one look for all of it, since most arrivals
    /// need no more. `answers`: the remote messages that it answers, of which the first that is known counts.
    pub async fn places(
        &self,
        connector: &str,
        answers: &[RemoteMessageId],
        staff: &UserId,
        ghost: &UserId,
    ) -> Result<Places, Error> {
        let question = Question {
            connector: connector.to_owned(),
            answers: answers.to_vec(),
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
    let mut threads: HashMap<(i64, String), OwnedRoomId> = HashMap::new();
    let mut direct = HashMap::new();
    let mut reader = store.reader().await?;
    let wanted: Vec<(i64, &Question, &str)> = (0i64..).zip(questions).flat_map(|(n, q)| q.wanted(n)).collect();
    for chunk in wanted.chunks(sql::ROWS_AT_ONCE) {
        let values = sql::values(chunk.len(), 5);
        let mut query = sql::query(format!(
            "WITH wanted (n, connector, message, ghost, staff) AS (VALUES {values})
             SELECT w.n, m.remote_message, m.room_id, s.membership, 0 FROM wanted w
             JOIN messages m ON m.connector = w.connector AND m.remote_message = w.message
             JOIN members g ON g.room_id = m.room_id AND g.mxid = w.ghost AND g.membership = 'join'
             JOIN members s ON s.room_id = m.room_id AND s.mxid = w.staff
             UNION ALL
             SELECT w.n, '', p.room_id, s.membership, p.opened_at FROM wanted w
             JOIN portals p ON p.direct_ghost = w.ghost AND p.direct_user = w.staff
             JOIN members g ON g.room_id = p.room_id AND g.mxid = w.ghost AND g.membership = 'join'
             LEFT JOIN members s ON s.room_id = p.room_id AND s.mxid = w.staff ORDER BY 5"
        ));
        for (n, question, message) in chunk {
            query = query
                .bind(*n)
                .bind(&question.connector)
                .bind(*message)
                .bind(question.ghost.as_str())
                .bind(question.staff.as_str());
        }
        for row in query.fetch_all(&mut *reader).await? {
            let (n, message): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
            let room = parse(&row, 2)?;
            if message.is_empty() {
                direct.insert(n, (room, read_membership(&row, 3)?));
            } else {
                threads.insert((n, message), room);
            }
        }
    }
    let places = |(n, question): (i64, &Question)| Places {
        thread: question.answers.iter().find_map(|answer| threads.remove(&(n, answer.as_str().to_owned()))),
        direct: direct.remove(&n),
    };
    Ok((0i64..).zip(questions).map(places).collect())
}

impl Question {
    /// One line for each message that it answers; one in any case.
    fn wanted(&self, n: i64) -> impl Iterator<Item = (i64, &Self, &str)> {
        let none = self.answers.is_empty().then_some("");
        self.answers.iter().map(RemoteMessageId::as_str).chain(none).map(move |message| (n, self, message))
    }
}

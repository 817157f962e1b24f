//! A database as it is after years: ghosts of many people, and a queue that waits for some who cannot be reached.

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// As long as the payload of a short message.
const PAYLOAD_BYTES: i64 = 600;
/// When the waiting rows fall due: not in this run, and no later than any row may wait.
const LATER: Duration = Duration::from_secs(3600);

/// Puts so many ghosts, and as many waiting rows of as many lanes, into a database that Fehmarn has made.
pub async fn fill(database: &Path, count: i64) -> anyhow::Result<()> {
    let mut database = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database)).await?;
    let numbers = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)";
    let ghosts = format!(
        "{numbers} INSERT INTO ghosts (mxid, connector, remote_user, name)
         SELECT '@_email_far' || n || '=40far.example:bench.local', 'email', 'far' || n || '@far.example', 'Far ' || n
         FROM numbers"
    );
    let members = format!(
        "{numbers} INSERT INTO members (room_id, mxid, membership)
         SELECT '!far' || n || ':bench.local', '@_email_far' || n || '=40far.example:bench.local', 'join' FROM numbers"
    );
    let rows = format!(
        "{numbers} INSERT INTO outbox (kind, connector, lane, source_id, target, room_id, payload, attempts, due_at,
         created_at, last_error, dead, ready, leased)
         SELECT 'delivery', 'email', 'far ' || n, 'far ' || n, 'far' || n || '@far.example', '!far' || n || ':bench.local',
         zeroblob($2), 3, $3, $4, 'mailbox-full: 452 4.2.2', 0, 1, 0 FROM numbers"
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    for statement in [ghosts, members, rows] {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(count)
            .bind(PAYLOAD_BYTES)
            .bind(now + LATER.as_millis() as i64)
            .bind(now)
            .execute(&mut database)
            .await?;
    }
    Ok(database.close().await?)
}

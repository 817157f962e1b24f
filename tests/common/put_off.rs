//! Rows that wait for a time that a test does not live to see: whatever leaves was hurried.

use super::{Setup, until};
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use std::time::{SystemTime, UNIX_EPOCH};

/// In milliseconds. What waits longer than any pause is made due at the start: the clock must have been wrong.
const LONG: i64 = 20 * 60 * 1000;

fn in_long() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis() as i64 + LONG
}

/// Waits until so many deliveries have failed because the other side could not be reached, and puts them off.
pub async fn put_off(setup: &Setup, count: usize) {
    let mut database = open(setup).await;
    until(&format!("{count} deliveries that failed and were put off"), async || {
        let update = "UPDATE outbox SET due_at = $1 WHERE leased = 0 AND last_error LIKE 'unreachable%' RETURNING id";
        let rows: Vec<(i64,)> = sqlx::query_as(update).bind(in_long()).fetch_all(&mut database).await.unwrap();
        (rows.len() == count).then_some(())
    })
    .await;
}

/// For whom something was put off and still waits.
pub async fn still_put_off(setup: &Setup) -> Vec<String> {
    let query = sqlx::query_scalar("SELECT target FROM outbox WHERE due_at > $1").bind(in_long() - LONG / 2);
    query.fetch_all(&mut open(setup).await).await.unwrap()
}

async fn open(setup: &Setup) -> SqliteConnection {
    SqliteConnectOptions::new().filename(setup.database_path()).connect().await.unwrap()
}

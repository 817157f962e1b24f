//! Rows that wait for a time that never comes: whatever leaves was hurried.

use super::{Setup, until};
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};

const NEVER: i64 = 9_000_000_000_000;

/// Waits until so many deliveries have failed because the other side could not be reached, and puts them off.
pub async fn put_off(setup: &Setup, count: usize) {
    let mut database = open(setup).await;
    until(&format!("{count} deliveries that failed and were put off"), async || {
        let update = "UPDATE outbox SET due_at = $1 WHERE leased = 0 AND last_error LIKE 'unreachable%' RETURNING id";
        let rows: Vec<(i64,)> = sqlx::query_as(update).bind(NEVER).fetch_all(&mut database).await.unwrap();
        (rows.len() == count).then_some(())
    })
    .await;
}

/// For whom something was put off and still waits.
pub async fn still_put_off(setup: &Setup) -> Vec<String> {
    let query = sqlx::query_scalar("SELECT target FROM outbox WHERE due_at = $1").bind(NEVER);
    query.fetch_all(&mut open(setup).await).await.unwrap()
}

async fn open(setup: &Setup) -> SqliteConnection {
    SqliteConnectOptions::new().filename(setup.database_path()).connect().await.unwrap()
}

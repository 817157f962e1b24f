//! A database of any earlier version is brought up to date with all that is in it; one of a later version is left alone.
//! On SQLite and on PostgreSQL.

use crate::{common::Setup, store::fresh_schema};
use fehmarn::{
    message::RawArrival,
    store::{Error, Membership, Queue, Store},
};
use ruma::{room_id, user_id};
use sqlx::{
    Any, AnyConnection, AssertSqlSafe, Connection, Row,
    migrate::{MigrateError, Migrator},
};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// What later migrations have changed on purpose: table and column.
const CHANGED: &[(&str, &str)] = &[];

/// A column, and whether it is a number, bytes or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Number,
    Bytes,
    Text,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Number(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Text(Option<String>),
}

/// Rows of a table, each by column.
type Rows = Vec<BTreeMap<String, Value>>;

struct Database {
    url: String,
    connection: AnyConnection,
}

fn migrations(url: &str) -> Migrator {
    if url.starts_with("sqlite:") { sqlx::migrate!("migrations/sqlite") } else { sqlx::migrate!("migrations/postgres") }
}

/// A program that knows the first `count` migrations only.
fn earlier(url: &str, count: usize) -> Migrator {
    let known = migrations(url).iter().take(count).cloned().collect();
    Migrator { migrations: Cow::Owned(known), ..Migrator::DEFAULT }
}

impl Database {
    async fn open(url: String) -> Self {
        sqlx::any::install_default_drivers();
        if let Some(path) = url.strip_prefix("sqlite:") {
            std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        }
        let connection = AnyConnection::connect(&url).await.unwrap();
        Self { url, connection }
    }

    /// As a program left it that knew the first `count` migrations only.
    async fn of_schema(url: String, count: usize) -> Self {
        let mut database = Self::open(url).await;
        earlier(&database.url, count).run(&mut database.connection).await.unwrap();
        database
    }

    fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    async fn execute(&mut self, text: &str) {
        sqlx::query(AssertSqlSafe(text.to_owned()))
            .execute(&mut self.connection)
            .await
            .unwrap_or_else(|e| panic!("{text}: {e}"));
    }

    async fn texts(&mut self, text: &str) -> Vec<(String, String)> {
        let rows = sqlx::query(AssertSqlSafe(text.to_owned())).fetch_all(&mut self.connection).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    async fn tables(&mut self) -> Vec<String> {
        let tables = self.texts(if self.is_sqlite() {
            "SELECT name, '' FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
        } else {
            "SELECT CAST(table_name AS TEXT), '' FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1"
        });
        let names = tables.await.into_iter().map(|(name, _)| name);
        names.filter(|name| name != "_sqlx_migrations").collect()
    }

    async fn columns(&mut self, table: &str) -> Vec<(String, Type)> {
        let columns = if self.is_sqlite() {
            format!("SELECT name, type FROM pragma_table_info('{table}')")
        } else {
            format!(
                "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT) FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
            )
        };
        let columns = self.texts(&columns).await.into_iter().map(|(name, kind)| {
            let kind = match kind.to_uppercase().as_str() {
                "BIGINT" | "INTEGER" => Type::Number,
                "BLOB" | "BYTEA" => Type::Bytes,
                "TEXT" => Type::Text,
                other => panic!("{table}.{name} is {other}"),
            };
            (name, kind)
        });
        columns.collect()
    }

    /// Puts two rows into each table that is empty.
    async fn fill(&mut self) {
        for table in self.tables().await {
            if !self.rows(&table).await.is_empty() {
                continue;
            }
            // The database itself counts the rows of the queues.
            let columns: Vec<_> =
                self.columns(&table).await.into_iter().filter(|it| *it != ("id".into(), Type::Number)).collect();
            for n in 0..2 {
                let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
                let places: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
                let insert = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), places.join(", "));
                let mut query = sqlx::query::<Any>(AssertSqlSafe(insert));
                for (name, kind) in &columns {
                    let text = format!("{table} {name} {n}");
                    query = match kind {
                        Type::Number => query.bind(n),
                        Type::Bytes => query.bind(text.into_bytes()),
                        Type::Text => query.bind(text),
                    };
                }
                query.execute(&mut self.connection).await.unwrap_or_else(|e| panic!("{table}: {e}"));
            }
        }
    }

    async fn rows(&mut self, table: &str) -> Rows {
        let columns = self.columns(table).await;
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let select = format!("SELECT {} FROM {table}", names.join(", "));
        let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&mut self.connection).await.unwrap();
        let mut rows: Rows = rows
            .iter()
            .map(|row| {
                let value = |(n, (name, kind)): (usize, &(String, Type))| {
                    let value = match kind {
                        Type::Number => Value::Number(row.get(n)),
                        Type::Bytes => Value::Bytes(row.get(n)),
                        Type::Text => Value::Text(row.get(n)),
                    };
                    (name.clone(), value)
                };
                columns.iter().enumerate().map(value).collect()
            })
            .collect();
        rows.sort();
        rows
    }

    async fn everything(&mut self) -> BTreeMap<String, Rows> {
        let mut everything = BTreeMap::new();
        for table in self.tables().await {
            let rows = self.rows(&table).await;
            everything.insert(table, rows);
        }
        everything
    }
}

/// Whether all that was there is there still, whatever has come since.
fn assert_kept(before: &BTreeMap<String, Rows>, after: &BTreeMap<String, Rows>, what: &str) {
    for (table, rows) in before {
        let now = after.get(table).unwrap_or_else(|| panic!("{what}: the table {table} is gone"));
        for row in rows {
            let is_it = |now: &BTreeMap<String, Value>| {
                row.iter().all(|(column, value)| {
                    now.get(column).is_none_or(|now| now == value)
                        || CHANGED.contains(&(table.as_str(), column.as_str()))
                })
            };
            assert!(now.iter().any(is_it), "{what}: {table} has lost {row:?}; it has {now:?}");
        }
    }
}

/// Each of these once for each database. `url` makes an empty database.
macro_rules! on_both {
    ($($name:ident)*) => { $(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                let folder = tempfile::tempdir().unwrap();
                super::cases::$name(async |n: usize| format!("sqlite:{}/{n}.db", folder.path().display())).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::cases::$name(async |n: usize| {
                    super::fresh_schema(&format!("{}_{n}", &stringify!($name)[..20])).await
                }).await;
            }
        }
    )* };
}

on_both! {
    every_earlier_schema_is_brought_up_to_date_with_all_that_is_in_it
    what_waited_under_the_first_schema_goes_on
    a_newer_schema_is_refused_and_left_alone
    a_changed_migration_is_named
}

mod cases {
    use super::*;

    pub async fn every_earlier_schema_is_brought_up_to_date_with_all_that_is_in_it(url: impl AsyncFn(usize) -> String) {
        let count = migrations(&url(0).await).iter().count();
        assert!(count >= 8, "{count}");
        for known in 1..=count {
            let url = url(known).await;
            let mut database = Database::of_schema(url.clone(), known).await;
            database.fill().await;
            let before = database.everything().await;
            assert!(before.len() >= 8 && before.values().all(|rows| rows.len() >= 2), "{before:?}");
            let store = Store::open(&url).await.unwrap();
            let after = database.everything().await;
            assert_kept(&before, &after, &format!("from schema {known}"));
            // What was made today has all that what was brought up to date has.
            let mut new = Database::of_schema(url_of_new(&url), count).await;
            for table in new.tables().await {
                let (mut old, mut new) = (database.columns(&table).await, new.columns(&table).await);
                old.sort_by_key(|(name, _)| name.clone());
                new.sort_by_key(|(name, _)| name.clone());
                assert_eq!(old, new, "{table} from schema {known}");
            }
            drop(store);
        }
    }

    /// Beside it on SQLite; in the same schema, where there is nothing to compare with, on PostgreSQL.
    fn url_of_new(url: &str) -> String {
        url.strip_suffix(".db").map_or_else(|| url.to_owned(), |start| format!("{start}-new.db"))
    }

    pub async fn what_waited_under_the_first_schema_goes_on(url: impl AsyncFn(usize) -> String) {
        let url = url(0).await;
        let mut first = Database::of_schema(url.clone(), 1).await;
        for text in [
            "INSERT INTO ghosts VALUES ('@_email_bob=40example.org:x', 'email', 'bob@example.org', 'Bob')",
            "INSERT INTO portals VALUES ('!r:x', 'Amt', 0, '@anna:x', '@_email_bob=40example.org:x', 5)",
            "INSERT INTO members VALUES ('!r:x', '@_email_bob=40example.org:x', 'join', 'Bob')",
            "INSERT INTO threads VALUES ('!r:x', 'email', 'Antrag', '<root@x>', '<last@x>')",
            "INSERT INTO messages VALUES ('$1', 'email', 'bob@example.org', '<last@x>', '!r:x', 'sent', 5)",
            "INSERT INTO seen VALUES ('email abc', 5)",
            "INSERT INTO cursors VALUES ('email', 'imap', '7')",
        ] {
            first.execute(text).await;
        }
        for (n, dead, ready) in [(1, 1, 0), (2, 0, 1), (3, 0, 0)] {
            let bytes = if first.is_sqlite() { format!("X'0{n}'") } else { format!("'\\x0{n}'") };
            first
                .execute(&format!(
                    "INSERT INTO outbox (kind, connector, lane, source_id, target, room_id, payload, attempts, due_at, created_at,
                     last_error, dead, ready, leased) VALUES ('delivery', 'email', 'email !r:x bob@example.org', 's{n}', 'bob@example.org',
                     '!r:x', {bytes}, 0, 5, 5, 'refused: no', {dead}, {ready}, 0)"
                ))
                .await;
        }

        let store = Store::open(&url).await.unwrap();
        let mut claimed = store.offer(Queue::Outbox, Arc::new(Semaphore::new(10)), Duration::from_secs(60));
        assert_eq!(store.fill_slots(Queue::Outbox).await.unwrap(), 1);
        let (row, _slot) = claimed.recv().await.unwrap();
        assert_eq!((row.source.as_str(), row.payload.as_slice()), ("s2", &[2][..]));
        let thread = row.thread.as_ref().expect("the thread of before is known");
        assert_eq!(thread.subject.as_deref(), Some("Antrag"));
        let counts = store.counts(Queue::Outbox).await.unwrap();
        assert_eq!((counts.live, counts.dead), (2, 1));
        let (room, bob) = (room_id!("!r:x"), user_id!("@_email_bob=40example.org:x"));
        let portals = store.begin().await.unwrap().portals(&[room]).await.unwrap();
        assert_eq!(portals[room].members[bob].membership, Membership::Join);
        assert_eq!(store.messages("email", &fehmarn::ids::RemoteMessageId::new("<last@x>")).await.unwrap().len(), 1);
        assert_eq!(store.cursor("email", "imap").await.unwrap().as_deref(), Some("7"));
        let again = RawArrival {
            also: None,
            source: fehmarn::ids::SourceId::new("abc"),
            lane: "l".into(),
            to: fehmarn::ids::LocalUser::new("anna"),
            raw: b"x".to_vec().into(),
        };
        store.accept_arrivals("email", vec![again], None).await.unwrap();
        assert_eq!(store.counts(Queue::Inbox).await.unwrap().live, 0, "what was taken in before is not taken in again");
    }

    pub async fn a_newer_schema_is_refused_and_left_alone(url: impl AsyncFn(usize) -> String) {
        let url = url(0).await;
        let count = migrations(&url).iter().count();
        let mut database = Database::of_schema(url.clone(), count).await;
        database.fill().await;
        pretend_newer(&mut database).await;
        let before = database.everything().await;
        let error = Store::open(&url).await.err().unwrap();
        assert!(matches!(error, Error::Newer(9999)), "{error}");
        let text = error.to_string();
        assert!(text.contains("newer Fehmarn (migration 9999)") && text.contains("backup"), "{text}");
        assert_eq!(database.everything().await, before);
    }

    pub async fn a_changed_migration_is_named(url: impl AsyncFn(usize) -> String) {
        let url = url(0).await;
        let mut database = Database::of_schema(url.clone(), 3).await;
        let bytes = if database.is_sqlite() { "X'00'" } else { "'\\x00'" };
        database.execute(&format!("UPDATE _sqlx_migrations SET checksum = {bytes} WHERE version = 2")).await;
        let error = Store::open(&url).await.err().unwrap();
        assert!(matches!(error, Error::Changed(2)), "{error}");
        assert!(error.to_string().contains("migration 2 of the database is not the one"), "{error}");
        assert_eq!(database.tables().await, tables_of_schema(3).await, "nothing was begun");
    }
}

/// Those that the first `count` migrations make.
async fn tables_of_schema(count: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    Database::of_schema(format!("sqlite:{}/new.db", folder.path().display()), count).await.tables().await
}

/// As if a later program had been here.
async fn pretend_newer(database: &mut Database) {
    let bytes = if database.is_sqlite() { "X'00'" } else { "'\\x00'" };
    let success = if database.is_sqlite() { "1" } else { "TRUE" };
    let insert = format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', {success}, {bytes}, 0)"
    );
    database.execute(&insert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_that_its_database_is_newer_and_ends() {
    let setup = Setup::new();
    setup.write_config();
    let url = format!("sqlite:{}", setup.database_path().display());
    let count = migrations(&url).iter().count();
    let mut database = Database::of_schema(url, count).await;
    pretend_newer(&mut database).await;
    for command in [&["run"][..], &["check"], &["queue", "list"]] {
        let done = tokio::task::block_in_place(|| setup.run(command));
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains("newer Fehmarn (migration 9999)") && said.contains("backup"), "{command:?}: {said}");
    }
}

/// The way back that docs/operations.md names. `VACUUM INTO` writes what `.backup` of the sqlite3 program writes.
#[tokio::test]
async fn an_older_program_goes_on_with_the_backup_and_not_with_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| format!("{}/{name}.db", folder.path().display());
    let url = format!("sqlite:{}", path("new"));
    let older = migrations(&url).iter().count() - 1;
    let mut database = Database::of_schema(url.clone(), older).await;
    database.fill().await;
    let before = database.everything().await;
    database.execute(&format!("VACUUM INTO '{}'", path("backup"))).await;
    drop(Store::open(&url).await.unwrap());

    let refused = earlier(&url, older).run(&mut database.connection).await;
    assert!(matches!(refused, Err(MigrateError::VersionMissing(_))), "{refused:?}");
    let mut backup = Database::of_schema(format!("sqlite:{}", path("backup")), older).await;
    assert_eq!(backup.everything().await, before);
    drop(Store::open(&backup.url).await.unwrap());
    assert_kept(&before, &backup.everything().await, "forth once more");
}

//! A suite for what is stored, run on SQLite and on PostgreSQL.

use super::servers;
use fehmarn::store::now;

/// Each of these once for each database: a function of the module `cases`, which takes a store, and behind `with url:` also
/// where that is.
macro_rules! suite {
    (with url: $($name:ident)*) => { $(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                let (_folder, url) = $crate::common::databases::sqlite();
                super::cases::$name(fehmarn::store::Store::open(&url).await.unwrap(), &url).await;
            }

            #[tokio::test]
            async fn postgres() {
                let url = $crate::common::databases::fresh_schema(stringify!($name)).await;
                super::cases::$name(fehmarn::store::Store::open(&url).await.unwrap(), &url).await;
            }
        }
    )* };
    ($($name:ident)*) => { $(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                let (_folder, url) = $crate::common::databases::sqlite();
                super::cases::$name(fehmarn::store::Store::open(&url).await.unwrap()).await;
            }

            #[tokio::test]
            async fn postgres() {
                let url = $crate::common::databases::fresh_schema(stringify!($name)).await;
                super::cases::$name(fehmarn::store::Store::open(&url).await.unwrap()).await;
            }
        }
    )* };
}
pub(crate) use suite;

/// A file of its own, while the folder is kept.
pub fn sqlite() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/test.db", folder.path().display());
    (folder, url)
}

/// A schema of its own in the PostgreSQL that the test command started.
pub async fn fresh_schema(name: &str) -> String {
    let base = servers::postgres_url();
    sqlx::any::install_default_drivers();
    // The time first: PostgreSQL cuts names after 63 bytes.
    let schema = format!("at_{}_{name}", now());
    let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&base).await.unwrap();
    let create = format!("CREATE SCHEMA {schema}");
    sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
    format!("{base}?options[search_path]={schema}")
}

//! What the listening half needs of the bridge. The real one is [`Inbox`]; tests put theirs in its place.

use crate::{
    connector::{Cursor, Inbox},
    failure::Failure,
    ids::LocalUser,
    message::RawArrival,
};
use async_trait::async_trait;

#[async_trait]
pub trait Door: Send + Sync + 'static {
    /// [`Inbox::knows`]
    async fn knows(&self, user: &LocalUser) -> Result<bool, Failure>;
    /// [`Inbox::accept`]
    async fn accept(&self, arrivals: Vec<RawArrival>, cursor: Option<Cursor>) -> Result<(), Failure>;
    /// [`Inbox::cursor`]
    async fn cursor(&self, name: &str) -> Result<Option<String>, Failure>;
}

#[async_trait]
impl Door for Inbox {
    async fn knows(&self, user: &LocalUser) -> Result<bool, Failure> {
        Inbox::knows(self, user).await
    }

    async fn accept(&self, arrivals: Vec<RawArrival>, cursor: Option<Cursor>) -> Result<(), Failure> {
        Inbox::accept(self, arrivals, cursor).await
    }

    async fn cursor(&self, name: &str) -> Result<Option<String>, Failure> {
        Inbox::cursor(self, name).await
    }
}

#[cfg(test)]
pub mod fake {
    use super::*;
    use crate::failure::Reason;
    use std::sync::Mutex;

    /// Knows everybody but `nobody`; does not know what to say about `maybe`.
    #[derive(Default)]
    pub struct FakeDoor {
        pub accepted: Mutex<Vec<RawArrival>>,
        pub cursor: Mutex<Option<Cursor>>,
        /// How many calls of `accept` with a mail fail before one is good.
        pub failures: Mutex<usize>,
    }

    impl FakeDoor {
        /// For whom, and what.
        pub fn accepted(&self) -> Vec<(String, String)> {
            let text = |raw: &RawArrival| String::from_utf8_lossy(&raw.raw).into_owned();
            self.accepted.lock().unwrap().iter().map(|raw| (raw.to.to_string(), text(raw))).collect()
        }

        pub fn cursor_value(&self) -> Option<String> {
            self.cursor.lock().unwrap().as_ref().map(|cursor| cursor.value.clone())
        }
    }

    #[async_trait]
    impl Door for FakeDoor {
        async fn knows(&self, user: &LocalUser) -> Result<bool, Failure> {
            match user.as_str() {
                "maybe" => Err(Failure::transient(Reason::Unreachable, "the homeserver is down")),
                name => Ok(name != "nobody"),
            }
        }

        async fn accept(&self, arrivals: Vec<RawArrival>, cursor: Option<Cursor>) -> Result<(), Failure> {
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 && !arrivals.is_empty() {
                *failures -= 1;
                return Err(Failure::transient(Reason::Internal, "the disk is full"));
            }
            self.accepted.lock().unwrap().extend(arrivals);
            if cursor.is_some() {
                *self.cursor.lock().unwrap() = cursor;
            }
            Ok(())
        }

        async fn cursor(&self, _name: &str) -> Result<Option<String>, Failure> {
            Ok(self.cursor_value())
        }
    }
}

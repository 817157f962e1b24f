//! Whether a connection to the outside works.

use crate::failure::{Failure, Reason};
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

const UNKNOWN: u8 = 0;
const BROKEN: u8 = 1;
const WORKS: u8 = 2;

/// A connection that is kept, or made when it is needed; what its last use has shown. Owned by whoever has the socket.
#[derive(Debug)]
pub struct Connection {
    /// What it is for, in the words of its network: `smtp`.
    pub kind: &'static str,
    /// The other side as the configuration names it, without a user: `mail.example.org:25`.
    pub peer: String,
    state: AtomicU8,
}

impl Connection {
    pub fn new(kind: &'static str, peer: impl ToString) -> Arc<Self> {
        Arc::new(Self { kind, peer: peer.to_string(), state: AtomicU8::new(UNKNOWN) })
    }

    pub fn works(&self) {
        self.state.store(WORKS, Ordering::Relaxed);
    }

    pub fn is_broken(&self) {
        self.state.store(BROKEN, Ordering::Relaxed);
    }

    /// What an attempt says of it: whoever answers is there, even with a no; who does not let us in is of no use.
    pub fn note<T>(&self, result: &Result<T, Failure>) {
        match result {
            Err(Failure { reason: Reason::Unreachable | Reason::AccessDenied, .. }) => self.is_broken(),
            _ => self.works(),
        }
    }

    /// `None`: it was not used yet.
    pub fn state(&self) -> Option<bool> {
        match self.state.load(Ordering::Relaxed) {
            UNKNOWN => None,
            state => Some(state == WORKS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_answers_is_there() {
        let connection = Connection::new("smtp", "mail.example.org:25");
        assert_eq!(connection.state(), None);
        let note = |reason| {
            connection.note::<()>(&Err(Failure::transient(reason, "")));
            connection.state()
        };
        assert_eq!(note(Reason::Unreachable), Some(false));
        assert_eq!(note(Reason::UnknownRecipient), Some(true));
        assert_eq!(note(Reason::AccessDenied), Some(false));
        connection.note(&Ok(()));
        assert_eq!(connection.state(), Some(true));
    }
}

//! When something counts as sent. A component's stream acknowledges nothing (XEP-0114 knows no stream management), so
//! what was written is followed by a ping to ourselves: when that comes back, the server has taken everything before it.

use crate::failure::Failure;
use tokio::sync::oneshot;

pub type Done = oneshot::Sender<Result<(), Failure>>;

/// What was written and is not proved yet. Whoever waits for one that is dropped learns that the stream has ended.
#[derive(Default)]
pub struct Proofs {
    waiting: Vec<Waiting>,
    pings: u64,
}

struct Waiting {
    id: String,
    /// The first ping that was written after it.
    ping: Option<u64>,
    done: Done,
}

impl Proofs {
    pub fn written(&mut self, id: String, done: Done) {
        self.waiting.push(Waiting { id, ping: None, done });
    }

    /// The number of the ping that proves all that was written so far.
    pub fn ping(&mut self) -> u64 {
        self.pings += 1;
        for it in self.waiting.iter_mut().filter(|it| it.ping.is_none()) {
            it.ping = Some(self.pings);
        }
        self.pings
    }

    /// A ping has come back.
    pub fn answered(&mut self, ping: u64) {
        for it in self.waiting.extract_if(.., |it| it.ping.is_some_and(|of| of <= ping)) {
            // Nobody waits any more: the attempt was cut off, and will be repeated.
            let _ = it.done.send(Ok(()));
        }
    }

    /// The recipient's program has confirmed it, or the other side has given it back. Whether it was waiting.
    pub fn settle(&mut self, id: &str, result: &Result<(), Failure>) -> bool {
        let settled: Vec<Waiting> = self.waiting.extract_if(.., |it| it.id == id).collect();
        let was_waiting = !settled.is_empty();
        for it in settled {
            let _ = it.done.send(result.clone());
        }
        was_waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;

    fn write(proofs: &mut Proofs, id: &str) -> oneshot::Receiver<Result<(), Failure>> {
        let (done, wait) = oneshot::channel();
        proofs.written(id.to_owned(), done);
        wait
    }

    #[test]
    fn a_ping_proves_what_was_written_before_it_and_nothing_else() {
        let mut proofs = Proofs::default();
        let mut first = write(&mut proofs, "a");
        let ping = proofs.ping();
        let mut second = write(&mut proofs, "b");
        proofs.answered(ping);
        assert_eq!(first.try_recv(), Ok(Ok(())));
        assert!(second.try_recv().is_err(), "it was written after the ping");
        let ping = proofs.ping();
        proofs.answered(ping);
        assert_eq!(second.try_recv(), Ok(Ok(())));
    }

    #[test]
    fn what_is_given_back_before_its_ping_was_not_sent() {
        let mut proofs = Proofs::default();
        let mut sent = write(&mut proofs, "a");
        let ping = proofs.ping();
        let refused = Err(Failure::permanent(Reason::Refused, "no"));
        assert!(proofs.settle("a", &refused));
        proofs.answered(ping);
        assert_eq!(sent.try_recv(), Ok(refused.clone()));
        assert!(!proofs.settle("a", &refused), "it waits no more");
    }

    #[test]
    fn a_receipt_proves_as_well() {
        let mut proofs = Proofs::default();
        let mut sent = write(&mut proofs, "a");
        assert!(proofs.settle("a", &Ok(())));
        assert_eq!(sent.try_recv(), Ok(Ok(())));
    }
}

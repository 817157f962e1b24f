//! Those who want the same kind of thing at the same time are served together, by one task.

use super::Error;
use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

pub(super) type Reply<A> = oneshot::Sender<Result<A, Error>>;

/// Those who wait, each with what it wants, and whether somebody serves them.
pub(super) struct Together<T, A>(Mutex<Waiting<T, A>>);

struct Waiting<T, A> {
    items: Vec<(T, Reply<A>)>,
    is_served: bool,
}

impl<T, A> Default for Together<T, A> {
    fn default() -> Self {
        Self(Mutex::new(Waiting { items: Vec::new(), is_served: false }))
    }
}

impl<T, A> Together<T, A> {
    /// Waits for the answer. `serve` starts the task that answers all, should there be none; a task of its own, since
    /// whoever waits may stop waiting, and the others must not notice.
    pub(super) async fn ask(&self, item: T, serve: impl FnOnce()) -> Result<A, Error> {
        let (reply, answer) = oneshot::channel();
        let is_served = {
            let mut waiting = self.waiting();
            waiting.items.push((item, reply));
            mem::replace(&mut waiting.is_served, true)
        };
        if !is_served {
            serve();
        }
        answer.await.unwrap_or(Err(Error::Stopped))
    }

    /// For the task that serves: however it ends, the next who comes starts another.
    pub(super) fn serving(&self) -> Serving<'_, T, A> {
        Serving(self)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T, A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Serving<'a, T, A>(&'a Together<T, A>);

impl<T, A> Serving<'_, T, A> {
    /// Whether nobody waits; then nobody serves any more either.
    pub(super) fn is_done(&self) -> bool {
        let mut waiting = self.0.waiting();
        waiting.is_served = !waiting.items.is_empty();
        !waiting.is_served
    }

    /// Those who wait, the first first.
    pub(super) fn next(&self, most: usize) -> (Vec<T>, Vec<Reply<A>>) {
        let mut waiting = self.0.waiting();
        let count = waiting.items.len().min(most);
        waiting.items.drain(..count).unzip()
    }
}

impl<T, A> Drop for Serving<'_, T, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.waiting().is_served = false;
        }
    }
}

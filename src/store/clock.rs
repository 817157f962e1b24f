//! The one clock. It goes on evenly however the machine's own is set: leases, waits and ages are differences, and a clock
//! that was put right by a day must neither end nor lengthen any of them.

use super::{Error, Move, Queue, Store, sql};
use std::{
    sync::{
        LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// From here on the clock was set; below that it only drifts.
const LEAST_JUMP_MS: i64 = 30_000;
/// No row is to wait for longer than this: what does was written under another clock.
pub const FARTHEST: Duration = Duration::from_secs(2 * 3600);

struct Clock {
    began: Instant,
    /// Milliseconds since 1970 when it began.
    at: AtomicI64,
}

static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock { began: Instant::now(), at: AtomicI64::new(machine()) });

#[expect(clippy::disallowed_methods, reason = "the one clock")]
fn machine() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    let clock = &*CLOCK;
    clock.at.load(Ordering::Relaxed) + clock.began.elapsed().as_millis() as i64
}

impl Store {
    /// Follows the machine's clock. If it was set: all rows that wait move with it, and the milliseconds are returned. What
    /// is being worked on is held for `lease`. After an error, and when this is not waited for, it goes on from `moving`.
    /// Who has read the clock and not yet written what it said has it from the old one: see
    /// [`bring_near`](Self::bring_near).
    pub async fn follow_clock(&self, moving: &mut Option<Move>, lease: Duration) -> Result<Option<i64>, Error> {
        if moving.is_none() {
            let jump = machine() - now();
            if jump.abs() < LEAST_JUMP_MS {
                CLOCK.at.fetch_add(jump, Ordering::Relaxed);
                return Ok(None);
            }
            let mut begun = self.begin_move(jump).await?;
            if jump < 0 {
                self.set_clock(&mut begun, lease).await?;
            }
            *moving = Some(begun);
        }
        let Some(on_its_way) = moving else { return Ok(None) };
        while self.move_portion(on_its_way).await? {}
        let jump = on_its_way.milliseconds;
        if jump > 0 {
            self.set_clock(on_its_way, lease).await?;
        }
        *moving = None;
        Ok(Some(jump))
    }

    async fn set_clock(&self, on_its_way: &mut Move, lease: Duration) -> Result<(), Error> {
        let tx = self.change_clock(on_its_way, lease).await?;
        // While nobody else can claim: under the old clock what is under way may look due.
        CLOCK.at.fetch_add(on_its_way.milliseconds, Ordering::Relaxed);
        if let Err(error) = tx.commit().await {
            CLOCK.at.fetch_sub(on_its_way.milliseconds, Ordering::Relaxed);
            return Err(error);
        }
        Ok(())
    }

    /// Makes due what would wait for longer than anything may: the clock was put back while nobody followed it. Returns
    /// how many rows.
    pub async fn bring_near(&self) -> Result<u64, Error> {
        let mut rows = 0;
        let mut tx = self.begin().await?;
        for queue in [Queue::Outbox, Queue::Inbox] {
            let (table, now) = (queue.table(), now());
            let done =
                sql::query(format!("UPDATE {table} SET due_at = $1, leased = 0 WHERE ready = 1 AND due_at > $2"))
                    .bind(now)
                    .bind(now + FARTHEST.as_millis() as i64)
                    .execute(&mut tx.connection)
                    .await?;
            rows += done.rows_affected();
            tx.pending(queue).grew |= done.rows_affected() > 0;
        }
        tx.commit().await?;
        Ok(rows)
    }
}

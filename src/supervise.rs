//! Parts of Fehmarn that go on for ever are begun anew when a fault in the program has ended them.

use crate::metrics;
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A part that ran for so long has not the same fault at each beginning.
const LONG: Duration = Duration::from_secs(300);

/// Runs a part until it ends by itself; begins it anew after a panic, each time after a longer pause. `None`: `stop` came
/// after a panic.
pub async fn keep_alive<T, F: Future<Output = T>>(
    part: &'static str,
    stop: &CancellationToken,
    run: impl FnMut() -> F,
) -> Option<T> {
    keep_alive_after(FIRST_PAUSE, part, stop, run).await
}

async fn keep_alive_after<T, F: Future<Output = T>>(
    first: Duration,
    part: &'static str,
    stop: &CancellationToken,
    mut run: impl FnMut() -> F,
) -> Option<T> {
    let mut pause = first;
    loop {
        let began = Instant::now();
        if let Ok(ended) = AssertUnwindSafe(run()).catch_unwind().await {
            return Some(ended);
        }
        if began.elapsed() > LONG {
            pause = first;
        }
        metrics::restart(part);
        tracing::error!(part, ?pause, "a fault in the program has ended this part; it is begun anew");
        stop.run_until_cancelled(sleep(pause)).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_is_begun_anew_until_it_ends_by_itself() {
        let (stop, mut runs) = (CancellationToken::new(), 0);
        let ended = keep_alive_after(Duration::from_millis(1), "test", &stop, || {
            runs += 1;
            let run = runs;
            async move {
                assert!(run > 3, "a fault");
                run
            }
        });
        assert_eq!(ended.await, Some(4));
    }

    #[tokio::test]
    async fn a_stop_ends_the_pause() {
        let stop = CancellationToken::new();
        stop.cancel();
        let run = || async { panic!("a fault") };
        assert_eq!(keep_alive("test", &stop, run).await, None::<()>);
    }
}

//! Reading portals back in the background: after a doubt, and on and on.

use super::{super::Bridge, doubt::State, ring::Next};
use crate::{failure::Failure, store::now};
use ruma::OwnedRoomId;
use std::{collections::HashSet, convert::Infallible, sync::Arc, time::Duration};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Portals in which nobody wrote for longer wait for the sweep. Milliseconds.
const LATELY: i64 = 7 * 86_400_000;
/// Portals that are read back after one doubt; 60 bytes each.
const MOST: i64 = 200_000;
/// Portals whose ghosts look for invitations before all others do: a quarter of an hour.
const MOST_GHOSTS: i64 = 20_000;
/// 20 portals a second after a doubt, or 20 ghosts, and 100,000 of them in 83 minutes. A homeserver takes twice that, and
/// has other work.
const IN_A_ROUND: usize = 10;
const ROUND: Duration = Duration::from_millis(500);
/// Two portals a second always: 5 of those in which somebody wrote lately, and 5 of all.
const IN_A_SWEEP: i64 = 5;
const SWEEP: Duration = Duration::from_secs(5);
/// The sweep comes to the same portal again after this time at the earliest. Milliseconds.
const REST: i64 = 600_000;
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);

/// Goes round until `stop`, whenever the homeserver is well.
pub(in crate::bridge) async fn run(bridge: Arc<Bridge>, stop: CancellationToken) {
    let mut states = bridge.reconcile.doubt.follow();
    loop {
        let state = *states.borrow_and_update();
        let go_on = async {
            tokio::select! {
                changed = states.changed() => changed.is_ok(),
                () = bridge.go_round(state) => true,
            }
        };
        if stop.run_until_cancelled(go_on).await != Some(true) {
            return;
        }
    }
}

impl Bridge {
    /// Ends only when something does not work.
    async fn go_round(&self, state: State) {
        if state.well_since.is_none() {
            return std::future::pending().await;
        }
        let result = async {
            self.reconcile.ring.begin(state.troubles);
            self.read_active_portals(state).await?;
            self.look_for_forgotten_invitations().await?;
            tokio::try_join!(self.sweep_on_and_on(), self.ask_all_ghosts())
        };
        let Err(failure): Result<(Infallible, ()), Failure> = result.await;
        tracing::warn!(%failure, "cannot read portals back; trying again");
        sleep(PAUSE_AFTER_ERROR).await;
    }

    /// Those in which somebody wrote lately, the last one first.
    async fn read_active_portals(&self, state: State) -> Result<(), Failure> {
        let mut portals = self.store.active_portals(now() - LATELY, MOST).await?;
        portals.extend(self.store.active_management_rooms(now() - LATELY, MOST).await?);
        let mut recovered = 0;
        let mut read = 0;
        for some in portals.chunks(IN_A_ROUND) {
            let next = tokio::time::Instant::now() + ROUND;
            let doubtful =
                |room: &&OwnedRoomId| !state.well_since.is_some_and(|since| self.reconcile.doubt.was_read(room, since));
            let some: Vec<OwnedRoomId> = some.iter().filter(doubtful).cloned().collect();
            if !some.is_empty() {
                recovered += self.read_back(&some, false).await?;
                read += some.len();
                sleep_until(next).await;
            }
        }
        tracing::info!(portals = read, recovered, "the portals in which somebody wrote lately were read back");
        Ok(())
    }

    /// The bot's, and those of the ghosts that are most likely to have some.
    async fn look_for_forgotten_invitations(&self) -> Result<(), Failure> {
        let place = self.reconcile.place();
        let since = self.store.pushed_to().await?;
        let since = since.as_deref();
        // At the very first start the bot is in no room yet.
        if since.is_some() || self.store.ghosts_between("", None, 1).await?.is_empty() {
            self.look_for_invitations(&self.bot, since).await?;
        }
        let portals = self.store.active_portals(now() - LATELY, MOST_GHOSTS).await?;
        let (mut looked, mut found) = (HashSet::new(), 0);
        for some in portals.chunks(IN_A_ROUND) {
            let next = tokio::time::Instant::now() + ROUND;
            let joined = self.store.unread(some).await?.into_iter().flat_map(|portal| portal.joined);
            for ghost in joined.filter(|user| self.ghosts.is_ghost(user)) {
                if looked.insert(ghost.clone()) {
                    found += self.look_for_invitations(&ghost, since).await?;
                }
            }
            sleep_until(next).await;
        }
        tracing::debug!(ghosts = looked.len(), found, "ghosts have looked for invitations");
        if since.is_none() && place.is_some() {
            self.store.set_pushed_to(place.as_deref()).await?;
        }
        Ok(())
    }

    /// Whether they have missed an invitation. Ends when something does not work.
    async fn ask_all_ghosts(&self) -> Result<(), Failure> {
        let (mut asked, mut found) = (0, 0);
        while let Some(Next { after, up_to }) = self.reconcile.ring.next() {
            let Some(since) = self.store.pushed_to().await? else { return Ok(()) };
            let next = tokio::time::Instant::now() + ROUND;
            let some = self.store.ghosts_between(&after, up_to.as_deref(), IN_A_ROUND as i64).await?;
            for ghost in &some {
                found += self.look_for_invitations(ghost, Some(&since)).await?;
            }
            asked += some.len();
            self.reconcile.ring.passed(some.last().map(|ghost| ghost.as_str()));
            sleep_until(next).await;
        }
        tracing::info!(ghosts = asked, found, "all ghosts were asked whether they have missed an invitation");
        Ok(())
    }

    async fn sweep_on_and_on(&self) -> Result<Infallible, Failure> {
        loop {
            self.sweep().await?;
            sleep(SWEEP).await;
        }
    }

    async fn sweep(&self) -> Result<(), Failure> {
        let before = now() - REST;
        let mut portals = self.store.longest_unread(before, now() - LATELY, IN_A_SWEEP).await?;
        portals.extend(self.store.longest_unread(before, 0, IN_A_SWEEP).await?);
        portals.extend(self.store.longest_unread_management_rooms(before, 1).await?);
        portals.sort();
        portals.dedup();
        let recovered = self.read_back(&portals, false).await?;
        if recovered > 0 {
            tracing::info!(portals = portals.len(), recovered, "the sweep found what was never pushed");
        }
        Ok(())
    }
}

//! What goes wrong with a homeserver, and what Synapse 1.163 then forgets.

use super::Homeserver;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::watch;

/// How it stands with the homeserver's own work. Its connections are not cut here: a proxy stands before it for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    Up,
    /// Stopped in the middle of what it does.
    Hung,
    /// Ended. What it had in memory is gone.
    Down,
}

impl Homeserver {
    pub fn set_power(&self, power: Power) {
        self.power.send_replace(power);
    }

    /// Ends with this program at the latest.
    pub async fn wait_until_up(&self) {
        // The sender is our own.
        let _ = self.power().wait_for(|power| *power == Power::Up).await;
    }

    /// From now on, what is made in the moment in which it has caught up with an application service is stored and not
    /// sent until it catches up again, as in Synapse.
    pub fn be_forgetful(&self) {
        self.forgetful.store(true, Relaxed);
    }

    pub(super) fn is_forgetful(&self) -> bool {
        self.forgetful.load(Relaxed)
    }

    pub(super) fn power(&self) -> watch::Receiver<Power> {
        self.power.subscribe()
    }
}

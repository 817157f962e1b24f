//! What a run needs of its surroundings.

use super::{
    books::Books,
    plan::{Message, Strike},
    program::Program,
};
use std::path::PathBuf;

pub trait World {
    /// Fehmarn, which is struck by the run itself.
    fn program(&self) -> &Program;

    /// Has a message written, and does not wait for that. Those of one conversation keep their order.
    fn write(&self, message: &Message);

    /// How many of these are not yet accepted by the first server on their way.
    fn unwritten(&self) -> usize;

    /// Strikes somebody other than Fehmarn.
    async fn strike(&self, strike: &Strike) -> anyhow::Result<()>;

    /// Brings whoever was struck back, and returns when he is there.
    async fn mend(&self, strike: &Strike) -> anyhow::Result<()>;

    /// What is known by now. Everybody is up.
    async fn books(&self) -> anyhow::Result<Books>;

    /// Keeps what Fehmarn has left; where.
    fn keep(&self, seed: u64) -> anyhow::Result<PathBuf>;
}

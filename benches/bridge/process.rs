//! What a process has used, as Linux counts it.

use anyhow::Context;
use std::{fs, time::Duration};

/// `USER_HZ`, the unit of `/proc/PID/stat`: part of the kernel's interface, and 100 wherever this runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process, by its number.
#[derive(Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// Time on a processor, in user and kernel mode, of all its threads (proc(5), `utime` and `stime`).
    pub fn cpu(self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).context("the process is gone")?;
        // The second field is a name in parentheses, which may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |place: usize| fields.get(place - 3).and_then(|field| field.parse::<f64>().ok());
        let total = ticks(14).zip(ticks(15)).context("/proc/PID/stat is not what proc(5) says")?;
        Ok(Duration::from_secs_f64((total.0 + total.1) / TICKS_PER_SECOND))
    }

    /// Memory in use now, in MiB.
    pub fn memory(self) -> anyhow::Result<f64> {
        self.status("VmRSS:")
    }

    /// What of that is its own, in MiB: the rest are pages of the program's file, which the kernel can drop and read again.
    pub fn own_memory(self) -> anyhow::Result<f64> {
        self.status("RssAnon:")
    }

    /// The most memory that it ever had in use, in MiB.
    pub fn peak_memory(self) -> anyhow::Result<f64> {
        self.status("VmHWM:")
    }

    fn status(self, key: &str) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).context("the process is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.with_context(|| format!("/proc/PID/status has no {key}"))? / 1024.0)
    }
}

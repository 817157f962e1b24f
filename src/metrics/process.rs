//! What the operating system knows of this process; under the names that all programs give it.

use std::fs;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    pub open_files: i64,
    /// `None`: not limited.
    pub most_files: Option<i64>,
    pub resident_bytes: i64,
}

/// `None` where there is no `/proc`.
pub fn process() -> Option<Process> {
    let open_files = fs::read_dir("/proc/self/fd").ok()?.count() as i64;
    let most_files = most_files(&fs::read_to_string("/proc/self/limits").ok()?);
    let resident_bytes = resident_bytes(&fs::read_to_string("/proc/self/status").ok()?)?;
    Some(Process { open_files, most_files, resident_bytes })
}

fn most_files(limits: &str) -> Option<i64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<i64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_words_are_understood() {
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files \n";
        assert_eq!(most_files(limits), Some(1024));
        assert_eq!(most_files("Max open files            unlimited            unlimited            files"), None);
        assert_eq!(resident_bytes("VmPeak:\t  9 kB\nVmRSS:\t   20480 kB\n"), Some(20_971_520));
        let own = process().unwrap();
        assert!(own.open_files > 2 && own.resident_bytes > 1_000_000, "{own:?}");
    }
}

//! The clock and the disk that one Fehmarn sees, which can be set and broken without a word to anybody else.

use super::{Setup, process::run};
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt,
    process::Command,
};

pub const EIO: i64 = 5;
pub const ENOSPC: i64 = 28;

pub struct Machine(File);

impl Machine {
    /// Around what this setup will start.
    pub fn around(setup: &mut Setup) -> Self {
        let (library, numbers) = (setup.folder().join("machine.so"), setup.folder().join("machine"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/machine.c");
        run(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).args([source, "-ldl"]));
        let file = OpenOptions::new().write(true).create_new(true).open(&numbers).unwrap();
        file.write_all_at(&[0; 16], 0).unwrap();
        setup.environment = vec![("LD_PRELOAD", library), ("FEHMARN_TEST_MACHINE", numbers)];
        Self(file)
    }

    /// Its clock is so many seconds before ours.
    pub fn set_clock(&self, seconds: i64) {
        self.0.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    /// From now on nothing can be written to a file, for this reason; 0: it can again.
    pub fn fail_writes(&self, error: i64) {
        self.0.write_all_at(&error.to_ne_bytes(), 8).unwrap();
    }
}

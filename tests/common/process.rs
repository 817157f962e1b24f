//! A Fehmarn that runs: its signals, its end, and what it says.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
};

pub struct Process {
    child: Child,
    copying: Option<JoinHandle<()>>,
}

impl Process {
    /// Its log passes through us, so that a limit on the size of its files does not concern the log.
    pub fn start(command: &mut Command, log: PathBuf) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let mut file = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let copying = std::thread::spawn(move || {
            for line in lines.split(b'\n').map_while(Result::ok) {
                let _ = file.write_all(&line).and_then(|()| file.write_all(b"\n"));
            }
        });
        Self { child, copying: Some(copying) }
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGTERM, as an init system does.
    pub fn terminate(&self) {
        run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
    }

    /// SIGKILL, as a crash.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it had ended before it was killed: {status}");
        self.join_log();
    }

    /// SIGSTOP: it does nothing, and its connections stay. It ends with [`go_on`](Self::go_on).
    pub fn hang(&self) {
        run(Command::new("kill").args(["-STOP", &self.child.id().to_string()]));
    }

    pub fn go_on(&self) {
        run(Command::new("kill").args(["-CONT", &self.child.id().to_string()]));
    }

    /// From now on its files cannot grow beyond this many bytes; `None`: they can again.
    pub fn limit_file_size(&self, bytes: Option<u64>) {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        run(Command::new("prlimit").args([format!("--pid={}", self.child.id()), format!("--fsize={limit}:")]));
    }

    /// From now on it can open no file and no connection, until it may have this many; `None`: as many as allowed at all.
    pub fn limit_files(&self, count: Option<u64>) {
        let pid = format!("--pid={}", self.child.id());
        let hard = fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let hard =
            hard.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().nth(1)).unwrap();
        let limit = count.map_or(hard.to_owned(), |count| count.to_string());
        run(Command::new("prlimit").args([pid, format!("--nofile={limit}:")]));
    }

    pub fn join_log(&mut self) {
        if let Some(copying) = self.copying.take() {
            let _ = copying.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.join_log();
    }
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let done = command.output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

/// The log so far, all runs.
pub fn log(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

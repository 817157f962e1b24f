//! A process that takes orders as lines of JSON, and answers each with a line. See `programs/orders.mjs`.

use crate::common::{servers, wait::PATIENCE};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, atomic::AtomicU64, atomic::Ordering},
    thread::JoinHandle,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, time::timeout};

type Answer = Result<Value, String>;
type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>>;

pub struct Program {
    name: &'static str,
    child: Child,
    orders: Mutex<ChildStdin>,
    waiting: Waiting,
    count: AtomicU64,
    reading: Option<JoinHandle<()>>,
    pub folder: TempDir,
}

impl Program {
    /// Starts one of `programs/`, and waits until it is ready.
    pub async fn start(name: &'static str, arguments: impl Fn(&TempDir) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clients = &servers().clients;
        let mut child = Command::new(&clients.node)
            .arg(format!("{}/tests/clients/programs/{name}", env!("CARGO_MANIFEST_DIR")))
            .args(arguments(&folder))
            .env("CLIENT_MODULES", &clients.modules)
            .env("CLIENT_BROWSER", &clients.browser)
            .env("NODE_EXTRA_CA_CERTS", &servers().ca_file)
            // A browser keeps things there.
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("{}: {e}; are the servers up, with their service `web`?", clients.node.display())
            });
        let (orders, lines) = (Mutex::new(child.stdin.take().unwrap()), BufReader::new(child.stdout.take().unwrap()));
        let waiting = Waiting::default();
        let answered = waiting.clone();
        let reading = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                give(&answered, &line);
            }
            // Who still waits learns of the end.
            answered.lock().unwrap().clear();
        });
        let program = Self { name, child, orders, waiting, count: AtomicU64::new(0), reading: Some(reading), folder };
        program.order(json!({ "do": "ready" })).await;
        program
    }

    /// What the order brings; it must be carried out.
    pub async fn order(&self, order: Value) -> Value {
        self.try_to(order.clone()).await.unwrap_or_else(|e| panic!("{} could not {order}: {e}", self.name))
    }

    pub async fn try_to(&self, mut order: Value) -> Answer {
        let id = self.count.fetch_add(1, Ordering::Relaxed);
        order["id"] = id.into();
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        writeln!(self.orders.lock().unwrap(), "{order}").map_err(|_| self.end())?;
        match timeout(2 * PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.end()),
            Err(_) => Err("no answer".into()),
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn end(&self) -> String {
        let log = self.log();
        let end: Vec<&str> = log.lines().rev().take(30).collect();
        format!("it has ended. The end of what it said:\n{}", end.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    /// Where a failed test leaves something to look at.
    pub fn kept(&self, file: &str) -> PathBuf {
        servers().dir.join("log").join(file)
    }
}

fn give(waiting: &Waiting, line: &str) {
    let mut told: Value = serde_json::from_str(line).unwrap_or_default();
    let sender = told["id"].as_u64().and_then(|id| waiting.lock().unwrap().remove(&id));
    if let Some(sender) = sender {
        let answer = match told["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(told["answer"].take()),
        };
        let _ = sender.send(answer);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("FetchHttpApi")).collect();
            let end = &lines[lines.len().saturating_sub(60)..];
            eprintln!("--- the end of what {} said ---\n{}\n---", self.name, end.join("\n"));
        }
    }
}

//! A slot: one application service that Synapse knows, with ports, a prefix and a mail domain of its own. Tests run at
//! the same time, each in a process; a slot belongs to one of them.

use super::servers;
use serde::Deserialize;
use std::{
    fs::File,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

#[derive(Clone, Deserialize)]
pub struct Slot {
    pub name: String,
    /// What the localparts of its ghosts begin with.
    pub prefix: String,
    /// Postfix hands mail for this domain to `lmtp_port`.
    pub domain: String,
    /// Postfix puts mail for this domain into the one mailbox of `imap_login`.
    pub imap_domain: String,
    pub imap_login: String,
    /// The domain of its component.
    pub xmpp_domain: String,
    pub dir: PathBuf,
    pub registration: PathBuf,
    pub listen_port: u16,
    pub lmtp_port: u16,
    pub spare_ports: Vec<u16>,
    /// Where its Fehmarn listens for clients.
    pub clients_port: u16,
    /// Where the reverse proxy in front of Fehmarn and Synapse listens.
    pub front_port: u16,
}

/// A slot that is ours until this is dropped, or the process ends.
pub struct Taken {
    pub slot: Slot,
    _lock: File,
}

const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Waits for a free slot.
pub fn take() -> Taken {
    let slots = &servers().slots;
    assert!(!slots.is_empty(), "the servers have no slots");
    // Not always the first: what one test leaves behind in Synapse should rarely meet the next one.
    let first = std::process::id() as usize;
    let since = Instant::now();
    while since.elapsed() < LONGEST_WAIT {
        for n in 0..slots.len() {
            let slot = &slots[(first + n) % slots.len()];
            if let Some(taken) = try_take(slot) {
                return taken;
            }
        }
        sleep(Duration::from_millis(200));
    }
    panic!("no slot became free within {LONGEST_WAIT:?}");
}

fn try_take(slot: &Slot) -> Option<Taken> {
    let path = slot.dir.join("in-use.lock");
    let lock = File::create(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    lock.try_lock().ok().map(|()| Taken { slot: slot.clone(), _lock: lock })
}

impl Slot {
    /// The Matrix id of the ghost of an address.
    pub fn ghost(&self, address: &str) -> String {
        self.ghost_of("email", address)
    }

    pub fn ghost_of(&self, connector: &str, address: &str) -> String {
        let mut id = format!("@{}{connector}_", self.prefix);
        for byte in address.bytes() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => id.push(byte.into()),
                _ => id.push_str(&format!("={byte:02x}")),
            }
        }
        format!("{id}:{}", servers().server_name)
    }

    /// The localpart of its bot, as `fehmarn init` chose it.
    pub fn bot(&self) -> String {
        format!("fehmarn{}", self.prefix).trim_end_matches('_').to_owned()
    }

    /// The whole id of its bot.
    pub fn bot_id(&self) -> String {
        format!("@{}:{}", self.bot(), servers().server_name)
    }

    /// What its registration says of this key.
    pub fn registered(&self, key: &str) -> String {
        let text = std::fs::read_to_string(&self.registration).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        value.unwrap_or_else(|| panic!("{} has no {key}", self.registration.display())).trim_matches('"').to_owned()
    }

    /// What clients call their homeserver, its identity server and the page of a web client.
    pub fn front(&self) -> String {
        format!("https://localhost:{}", self.front_port)
    }

    pub fn listen_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.listen_port)
    }
}

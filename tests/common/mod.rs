//! What the tests share.
//!
//! | file | subject |
//! |---|---|
//! | `servers` | where the real servers are |
//! | `slot` | an application service for each test that runs at the same time |
//! | `fehmarn`, `process` | the program itself, started as an admin would; its signals and logs |
//! | `staff` | somebody who writes in Matrix; `events`: what they read there |
//! | `relations` | what they do with messages that are there: edits, reactions, threads |
//! | `outside` | somebody who has e-mail; `letter`: what they write, `mail`: what they get |
//! | `contact` | somebody who has XMPP; `talk`: with whom a member of staff writes; `chat_room`: a group chat of theirs; `hall`: with staff in it |
//! | `conversation` | both, who have begun to write to each other; `sitting`: with a second person outside |
//! | `lmtp` | a mail server that hands over mail |
//! | `dns` | a name server |
//! | `homeserver` | requests of a homeserver, made by hand; `forgetful`: one that answers as it is told |
//! | `identity` | a client that knows identity services, and a reverse proxy |
//! | `own_synapse` | a Synapse for one test alone |
//! | `gate` | a connection that can be cut |
//! | `databases` | a suite that runs on SQLite and on PostgreSQL |
//! | `wait` | waiting for a condition |

pub mod chat_room;
pub mod contact;
pub mod conversation;
pub mod databases;
pub mod dns;
pub mod events;
pub mod fehmarn;
pub mod forgetful;
pub mod gate;
pub mod hall;
pub mod homeserver;
pub mod identity;
pub mod letter;
pub mod lmtp;
pub mod machine;
pub mod mail;
pub mod metrics;
pub mod outside;
pub mod own_synapse;
pub mod process;
pub mod put_off;
mod relations;
pub mod servers;
pub mod sitting;
pub mod slot;
pub mod staff;
pub mod talk;
pub mod wait;

pub use chat_room::ChatRoom;
pub use contact::Contact;
pub use conversation::Conversation;
pub use events::{body, html, sender};
pub use fehmarn::{Fehmarn, Setup};
pub use letter::Letter;
pub use mail::Mail;
pub use outside::Outside;
pub use servers::servers;
pub use sitting::Sitting;
pub use staff::Staff;
pub use wait::until;

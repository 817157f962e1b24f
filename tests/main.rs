//! The promises of Fehmarn, tried against a real Synapse, Postfix, Dovecot, Prosody and PostgreSQL. One program: each file
//! of this folder is a module. `scripts/test` starts the servers and runs them.

#![allow(clippy::disallowed_methods)]

mod application_service;
mod arrivals;
mod command_line;
mod common;
mod content;
mod crossing;
mod faults;
mod golden;
mod hold;
mod imap;
mod kill;
mod layers;
mod mail_out;
mod postgres;
mod read_back;
mod reconcile;
mod senders;
mod smtp;
mod store;
mod threads;
mod xmpp;
mod xmpp_kill;

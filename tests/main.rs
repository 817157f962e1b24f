//! The promises of Fehmarn, tried against a real Synapse, Postfix, Dovecot, Prosody and PostgreSQL. One program: each file
//! of this folder is a module. `scripts/test` starts the servers and runs them.

#![allow(clippy::disallowed_methods)]

mod application_service;
mod arrivals;
mod bot;
mod command_line;
mod common;
mod content;
mod crossing;
mod direct;
mod faults;
mod golden;
mod hold;
mod identity;
mod imap;
mod kill;
mod layers;
mod limits;
mod mail_out;
mod originals;
mod postgres;
mod read_back;
mod real_mail;
mod reconcile;
mod rooms;
mod senders;
mod smtp;
mod states;
mod store;
mod store_remote_rooms;
mod threads;
mod xmpp;
mod xmpp_kill;
mod xmpp_rooms;

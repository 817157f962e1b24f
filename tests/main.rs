//! The promises of Fehmarn, tried against a real Synapse, Postfix, Dovecot, Prosody and PostgreSQL, with real Matrix clients. One program: each file
//! of this folder is a module. `scripts/test` starts the servers and runs them.

#![allow(clippy::disallowed_methods)]

mod application_service;
mod arrivals;
mod bot;
mod clients;
mod command_line;
mod common;
mod content;
mod correspondence;
mod crossing;
mod direct;
mod faults;
mod forms;
mod golden;
mod hold;
mod identity;
mod imap;
mod kill;
mod layers;
mod limits;
mod log;
mod mail_out;
mod members;
mod metrics;
mod mixed;
mod originals;
mod panics;
mod passing_on;
mod postgres;
mod queue_many;
mod read_back;
mod real_mail;
mod reconcile;
mod rooms;
mod same_moment;
mod senders;
mod servers_folder;
mod smtp;
mod states;
mod store;
mod store_people;
mod store_rooms;
mod threads;
mod upgrades;
mod xmpp;
mod xmpp_errors;
mod xmpp_kill;
mod xmpp_passing;
mod xmpp_people;
mod xmpp_tls;

//! Clients that are not ours, and that know nothing of Fehmarn: what their users do, and what they see.
//!
//! | file | subject |
//! |---|---|
//! | `program` | a client's process, which takes orders; what runs in it is in `programs/` |
//! | `library` | somebody whose client is built with matrix-js-sdk |
//! | `browser` | Chromium, with the web client Hydrogen |
//! | `page` | a day at the screen |
//! | the others | what the library shows of each thing that staff can do |

mod beginning;
mod browser;
mod kinds;
mod library;
mod marks;
mod page;
mod program;
mod remote;
mod sealed;

use browser::Browser;
use library::{Library, Shown};

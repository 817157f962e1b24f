//! The log: one line for each event, on standard error. What stands in it may be read by people who may not read the
//! messages: see [`mask`].

mod mask;

use crate::metrics;
use clap::ValueEnum;
use mask::mask;
use std::{
    io::{self, IsTerminal, Write},
    panic::PanicHookInfo,
};
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object on each line, for programs.
    Json,
}

/// From now on, for this process. `FEHMARN_LOG` says how much is written.
pub fn start(format: Format) {
    let filter = EnvFilter::try_from_env("FEHMARN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Masked(io::stderr()));
    match format {
        Format::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        Format::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
    std::panic::set_hook(Box::new(report));
}

/// A panic is counted, and one line as well. Its words only where they are the program's own: a cut in the wrong place
/// quotes the text that was to be cut.
fn report(panic: &PanicHookInfo<'_>) {
    metrics::panicked();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let what = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("not told, it may quote a message");
    tracing::error!(place, what, "a fault in the program");
}

/// Writes whole lines, as they come from the subscriber.
struct Masked<W>(W);

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(mask(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_names_nobody() {
        let mut out = Vec::new();
        Masked(&mut out).write_all("WARN detail=<bob@example.org>: no\r\nINFO forged\n".as_bytes()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "WARN detail=<b…@example.org>: no\\r\\nINFO forged\n");
    }
}

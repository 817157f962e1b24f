//! How a mail begins that is repeated below an answer, or passed on.

use super::page::{is_quoted, is_rule};

/// What stands, behind dashes, over a mail that is repeated.
const ORIGINAL: &[&str] = &[
    "original message",
    "original email",
    "original e-mail",
    "original mail",
    "original appointment",
    "originalnachricht",
    "original-nachricht",
    "originaltermin",
    "urspr\u{fc}ngliche nachricht",
    "urspr\u{fc}ngliche mail",
    "urspr\u{fc}ngliche e-mail",
    "urspr\u{fc}nglicher termin",
    "reply message",
    "antwort nachricht",
    "message d'origine",
    "mensaje original",
    "mensagem original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "oprindelig meddelelse",
    "ursprungligt meddelande",
];
/// How the line over a mail begins that was passed on, behind dashes.
const FORWARDED: &[&str] = &[
    "forwarded message",
    "forwarded mail",
    "forwarded by ",
    "weitergeleitete nachricht",
    "weitergeleitete mail",
    "weitergeleitete e-mail",
    "weitergeleitet von ",
    "message transf\u{e9}r\u{e9}",
    "doorgestuurd bericht",
];
/// The same in a line of its own, as Apple Mail writes it.
const FORWARDED_LINE: &[&str] = &["begin forwarded message:", "anfang der weitergeleiteten nachricht:"];
/// The header lines that programs write over a mail, by kind.
const HEADER: [&[&str]; 5] = [
    &["von:", "from:", "de:", "van:", "fra:", "fr\u{e5}n:", "da:", "od:"],
    &[
        "gesendet:",
        "gesendetam:",
        "datum:",
        "sent:",
        "date:",
        "envoy\u{e9}:",
        "verzonden:",
        "sendt:",
        "skickat:",
        "inviato:",
        "wys\u{142}ano:",
    ],
    &["an:", "to:", "\u{e0}:", "aan:", "til:", "till:", "a:", "do:"],
    &["betreff:", "subject:", "thema:", "objet:", "onderwerp:", "emne:", "\u{e4}mne:", "oggetto:", "temat:"],
    &["cc:", "kopie:", "kopiean:", "antwortan:", "reply-to:"],
];
const SUBJECT: usize = 3;
/// How far apart header lines may stand: they are wrapped, or set apart by empty lines.
const HEADER_LINES: usize = 10;
/// How an attribution begins, and what it contains.
const ATTRIBUTION: &[(&str, &str)] = &[
    ("am ", " schrieb"),
    ("am ", " geschrieben"),
    ("on ", " wrote"),
    ("at ", " wrote"),
    ("le ", " a \u{e9}crit"),
    ("den ", " skrev"),
    ("op ", " schreef"),
    ("op ", " geschreven"),
    ("il ", " ha scritto"),
    ("el ", " escribi\u{f3}"),
    ("em ", " escreveu"),
    ("dnia ", " napisa\u{142}"),
    ("w dniu ", " napisa\u{142}"),
];
/// What one contains that begins with the name.
const NAMED_ATTRIBUTION: &[&str] = &[" schrieb", " geschrieben", " wrote", " a \u{e9}crit"];
/// The same, as no story tells it.
const NAMED_AND_DATED: &[&str] = &[" schrieb am ", " hat am ", " wrote on "];
/// How one ends; Asian programs have a wide one.
const COLON: [char; 2] = [':', '\u{ff1a}'];
/// The longest attribution, in lines: programs break it where they like.
pub const ATTRIBUTION_LINES: usize = 4;
/// The longest line that is looked at, in bytes.
const LINE: usize = 400;

/// Small letters and plain spaces; of a long line only the beginning.
pub fn folded(line: &str) -> String {
    let mut end = line.len().min(LINE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let mut text = String::with_capacity(end);
    text.extend(plain(line.get(..end).unwrap_or_default()));
    small(text)
}

/// The first characters of a line, [`folded`].
pub fn folded_start(line: &str, count: usize) -> String {
    small(plain(line).take(count).collect())
}

fn plain(line: &str) -> impl Iterator<Item = char> {
    line.chars().filter(|c| *c != '\u{feff}').map(|c| if c.is_whitespace() { ' ' } else { c })
}

/// Small letters. Every line passes here several times, and few have large ones that are not ASCII.
pub fn small(mut text: String) -> String {
    text.make_ascii_lowercase();
    let is_large = |c: char| !c.is_ascii() && c.to_lowercase().ne([c]);
    if !text.is_ascii() && text.contains(is_large) { text.to_lowercase() } else { text }
}

/// What stands between dashes, small; `None` without at least two of them before it.
fn dashed(line: &str) -> Option<String> {
    let line = line.trim();
    let dashes = line.chars().take_while(|c| is_rule(*c)).count();
    let inner = line.trim_matches(|c: char| is_rule(c) || c.is_whitespace());
    (dashes >= 2 && !inner.is_empty()).then(|| folded(inner))
}

pub fn is_original_mark(rest: &[&str]) -> bool {
    let Some(inner) = rest.first().and_then(|line| dashed(line)) else { return false };
    // Notes in the browser: -----Anna Muster <anna@...> schrieb: -----
    let is_notes = inner.contains('@') && NAMED_ATTRIBUTION.iter().any(|verb| inner.ends_with(&format!("{verb}:")));
    // Samsung's plain text goes on in the same line.
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(':') || rest.trim_start().starts_with("--");
    is_notes || ORIGINAL.iter().any(|original| inner.strip_prefix(original).is_some_and(ends))
}

pub fn is_forward(rest: &[&str]) -> bool {
    let Some(line) = rest.first().filter(|line| !is_quoted(line)) else { return false };
    dashed(line).is_some_and(|inner| FORWARDED.iter().any(|start| inner.starts_with(start)))
        || line.trim_end().ends_with(':') && FORWARDED_LINE.contains(&folded(line).trim())
}

fn header_kind(line: &str) -> Option<usize> {
    if !line.contains(':') {
        return None;
    }
    let line: String = line.trim_start().chars().take(24).filter(|c| !c.is_whitespace() && *c != '*').collect();
    let line = line.to_lowercase();
    HEADER.iter().position(|names| names.iter().any(|name| line.starts_with(name)))
}

/// At least three kinds of header lines close together, beginning with "Von:" or "Gesendet:". Without a subject there
/// must be an address: a journey is "Von", "An" and "Datum", too.
pub fn is_header_block(rest: &[&str]) -> bool {
    if rest.first().and_then(|line| header_kind(line)).is_none_or(|kind| kind > 1) {
        return false;
    }
    let lines = || rest.iter().take(HEADER_LINES).filter_map(|line| Some((header_kind(line)?, line)));
    let mut kinds: Vec<usize> = lines().map(|(kind, _)| kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let is_of_mail = kinds.contains(&SUBJECT) || lines().any(|(_, line)| line.contains('@'));
    kinds.len() >= 3 && is_of_mail
}

/// The line that says who wrote the quoted text and when: "Am ... schrieb Anna Muster <anna@...>:".
pub struct Attribution {
    pub lines: usize,
    /// It begins as one, with the day; not with a name, as any sentence may.
    pub full: bool,
    /// It has an address, or year and time of day, as well.
    pub certain: bool,
}

/// The attribution that these lines begin with.
pub fn attribution(rest: &[&str]) -> Option<Attribution> {
    // Nearly every line is none: the rest costs more.
    if !rest.iter().take(ATTRIBUTION_LINES).any(|line| line.trim_end().ends_with(COLON)) {
        return None;
    }
    let mut text = String::new();
    for (count, line) in rest.iter().take(ATTRIBUTION_LINES).enumerate() {
        let line = line.trim_start_matches(|c: char| c == '>' || c == ' ' || is_rule(c)).trim();
        if line.is_empty() || text.len() + line.len() > LINE {
            return None;
        }
        text.push_str(&folded(line));
        text.push(' ');
        if line.ends_with(COLON) {
            let first_has_address = rest.first().is_some_and(|line| line.contains(['@', '<']));
            return classified(&text, count + 1, count == 0 || first_has_address);
        }
    }
    None
}

fn classified(text: &str, lines: usize, may_begin_with_name: bool) -> Option<Attribution> {
    let day = text.contains(|c: char| c.is_ascii_digit());
    let address = text.contains('@');
    let full = day && ATTRIBUTION.iter().any(|(start, verb)| text.starts_with(start) && text.contains(verb));
    let named = (day || address) && may_begin_with_name && NAMED_ATTRIBUTION.iter().any(|verb| text.contains(verb));
    let dated =
        named && day && address && text.contains('<') && NAMED_AND_DATED.iter().any(|words| text.contains(words));
    let certain = full && (address || has_time(text) && has_year(text)) || dated;
    (full || named).then_some(Attribution { lines, full, certain })
}

fn has_year(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|number| number.len() == 4 && number.starts_with("20"))
}

fn has_time(text: &str) -> bool {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ':' && chars.peek().is_some_and(char::is_ascii_digit) {
            return true;
        }
    }
    false
}

//! The words of a message in Rich Text Format: compressed (MS-OXRTFCP), and as a shell around HTML (MS-OXRTFEX).

use crate::connectors::email::mime::charset;

/// The longest RTF that is expanded, in bytes.
const LONGEST: usize = 8 << 20;
/// How deep groups may be nested.
const GROUPS: usize = 500;
/// MS-OXRTFCP section 2.1.2.1: what the window holds at the beginning.
const PREFILLED: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const WINDOW: usize = 4096;

/// Expands what MAPI keeps compressed. What is broken is expanded as far as it goes.
pub fn expand(bytes: &[u8]) -> Option<Vec<u8>> {
    let (header, data) = bytes.split_at_checked(16)?;
    match header.get(8..12)? {
        b"LZFu" => Some(decompress(data)),
        b"MELA" => Some(data.get(..LONGEST).unwrap_or(data).to_vec()),
        _ => None,
    }
}

fn decompress(data: &[u8]) -> Vec<u8> {
    let mut window = Window { bytes: [b' '; WINDOW], at: PREFILLED.len(), out: Vec::with_capacity(data.len() * 2) };
    window.bytes.iter_mut().zip(PREFILLED).for_each(|(to, from)| *to = *from);
    let mut bytes = data.iter().copied();
    while let (Some(control), true) = (bytes.next(), window.out.len() < LONGEST) {
        for bit in 0..8 {
            if window.step(control >> bit & 1 == 1, &mut bytes).is_none() {
                return window.out;
            }
        }
    }
    window.out
}

/// The last bytes that came out, which references point into.
struct Window {
    bytes: [u8; WINDOW],
    at: usize,
    out: Vec<u8>,
}

impl Window {
    /// One byte, or a reference to some; `None` at the end.
    fn step(&mut self, is_reference: bool, bytes: &mut impl Iterator<Item = u8>) -> Option<()> {
        let high = bytes.next()?;
        if !is_reference {
            self.push(high);
            return Some(());
        }
        let reference = usize::from(high) << 8 | usize::from(bytes.next()?);
        let (from, length) = (reference >> 4, (reference & 0x0f) + 2);
        // A reference to where the window ends is the end (section 3.1.3.2).
        if from == self.at {
            return None;
        }
        for step in 0..length {
            self.push(self.bytes.get((from + step) % WINDOW).copied()?);
        }
        Some(())
    }

    fn push(&mut self, byte: u8) {
        self.out.push(byte);
        if let Some(place) = self.bytes.get_mut(self.at) {
            *place = byte;
        }
        self.at = (self.at + 1) % WINDOW;
    }
}

/// What an RTF document says.
#[derive(Debug, PartialEq)]
pub enum Words {
    Html(String),
    Text(String),
}

/// Reads the HTML that the document was made from, else its text.
pub fn read(rtf: &[u8]) -> Words {
    let head = rtf.get(..400).unwrap_or(rtf);
    let is_html = head.windows(10).any(|ten| ten == b"\\fromhtml1");
    let mut page = Page { is_html, charset: "windows-1252".to_owned(), ..Page::default() };
    page.read(rtf);
    page.flush();
    if is_html { Words::Html(page.out) } else { Words::Text(page.out) }
}

/// What holds until the end of a group.
#[derive(Clone, Default)]
struct Group {
    /// Of no use: fonts, colours, and what this program does not know.
    is_passed: bool,
    /// A piece of the HTML that the document was made from.
    is_tag: bool,
    /// What shows the HTML in RTF, and so repeats it.
    is_shown: bool,
    /// How many characters follow a `\u` for those who do not know it.
    substitutes: usize,
    /// Nothing has come in this group yet but `\*`.
    is_starred: bool,
}

#[derive(Default)]
struct Page {
    is_html: bool,
    charset: String,
    group: Group,
    outer: Vec<Group>,
    /// Groups that are too deep to be kept.
    deeper: usize,
    /// Bytes in the document's character set that are not read yet.
    bytes: Vec<u8>,
    /// Substitutes that are still to come.
    skip: usize,
    high: Option<u16>,
    out: String,
}

const PASSED: &[&str] =
    &["fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "listtable", "themedata"];

impl Page {
    fn read(&mut self, mut rest: &[u8]) {
        self.group.substitutes = 1;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'{' => self.begin(),
                b'}' => self.end(),
                b'\\' => rest = self.control(after),
                b'\r' | b'\n' => {}
                byte => self.byte(*byte),
            }
        }
    }

    fn begin(&mut self) {
        if self.outer.len() >= GROUPS {
            self.deeper += 1;
            return;
        }
        self.outer.push(self.group.clone());
        self.group.is_starred = false;
        self.skip = 0;
    }

    fn end(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        self.group = self.outer.pop().unwrap_or_default();
        self.skip = 0;
    }

    /// What follows a backslash; returns what is behind it.
    fn control<'x>(&mut self, bytes: &'x [u8]) -> &'x [u8] {
        let Some((first, after)) = bytes.split_first() else { return &[] };
        if first.is_ascii_alphabetic() {
            return self.word(bytes);
        }
        match first {
            b'\'' => {
                let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
                if let Some(byte) = digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
                    self.byte(byte);
                    return after.get(2..).unwrap_or_default();
                }
            }
            b'*' => self.group.is_starred = true,
            b'~' => self.text('\u{a0}'),
            b'_' => self.text('-'),
            b'\\' | b'{' | b'}' => self.byte(*first),
            b'\r' | b'\n' => self.text('\n'),
            _ => {}
        }
        after
    }

    fn word<'x>(&mut self, bytes: &'x [u8]) -> &'x [u8] {
        let end = bytes.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(bytes.len());
        let (name, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest.iter().skip(sign).take(10).take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) =
            if digits > 0 { rest.split_at_checked(sign + digits).unwrap_or((rest, &[])) } else { (&[][..], rest) };
        let number = std::str::from_utf8(number).ok().and_then(|text| text.parse::<i64>().ok());
        self.named(std::str::from_utf8(name).unwrap_or_default(), number);
        rest.strip_prefix(b" ").unwrap_or(rest)
    }

    fn named(&mut self, name: &str, number: Option<i64>) {
        let was_starred = std::mem::take(&mut self.group.is_starred);
        match name {
            "htmltag" => (self.group.is_tag, self.group.is_passed) = (true, false),
            "htmlrtf" => self.group.is_shown = number != Some(0),
            "ansicpg" => {
                self.charset = super::charset_of(number.and_then(|page| u32::try_from(page).ok()).unwrap_or(1252))
            }
            "uc" => self.group.substitutes = number.and_then(|count| usize::try_from(count).ok()).unwrap_or(1).min(10),
            "u" => self.unicode(number.unwrap_or_default()),
            "par" | "line" | "row" | "sect" | "page" => self.text('\n'),
            "tab" | "cell" => self.text('\t'),
            "emdash" => self.text('\u{2014}'),
            "endash" => self.text('\u{2013}'),
            "lquote" => self.text('\u{2018}'),
            "rquote" => self.text('\u{2019}'),
            "ldblquote" => self.text('\u{201c}'),
            "rdblquote" => self.text('\u{201d}'),
            "bullet" => self.text('\u{2022}'),
            _ if was_starred || PASSED.contains(&name) => self.group.is_passed = true,
            _ => {}
        }
    }

    fn unicode(&mut self, number: i64) {
        let Ok(unit) = u16::try_from(number.rem_euclid(0x1_0000)) else { return };
        let pair = self.high.take().map(|high| [high, unit]);
        let decoded = char::decode_utf16(pair.into_iter().flatten().chain(pair.is_none().then_some(unit))).next();
        match decoded {
            Some(Ok(c)) => self.text(c),
            _ if (0xd800..0xdc00).contains(&unit) => self.high = Some(unit),
            _ => {}
        }
        self.skip = self.group.substitutes;
    }

    fn is_wanted(&self) -> bool {
        !self.group.is_passed && self.deeper == 0 && (!self.is_html || self.group.is_tag || !self.group.is_shown)
    }

    fn byte(&mut self, byte: u8) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.is_wanted() {
            self.bytes.push(byte);
        }
    }

    fn text(&mut self, c: char) {
        if self.is_wanted() {
            self.flush();
            self.out.push(c);
        }
    }

    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            self.out.push_str(&charset::decode(&std::mem::take(&mut self.bytes), &self.charset));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rtf: &str) -> String {
        match read(rtf.as_bytes()) {
            Words::Text(text) => text,
            Words::Html(html) => panic!("{html}"),
        }
    }

    #[test]
    fn the_examples_of_the_specification_are_expanded() {
        // MS-OXRTFCP section 4.1.1 and 4.1.2.
        let simple = b"\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\0\x0a\0rcpg125B2\x0a\xf3 hel\x09\0 bw\x05\xb0ld}\x0a\x80\x0f\xa0";
        assert_eq!(expand(simple).as_deref(), Some(&b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"[..]));
        let overlapping = b"\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4\x4b\x51\x41\0\x04\x20WXYZ\x0d\x6e}\x01\x0e\xb0";
        assert_eq!(expand(overlapping).as_deref(), Some(&b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"[..]));
        assert_eq!(expand(b"\0\0\0\0\0\0\0\0MELA\0\0\0\0{x}").as_deref(), Some(&b"{x}"[..]));
        assert_eq!(expand(b"\0\0\0\0\0\0\0\0WHAT\0\0\0\0x"), None);
        assert_eq!(expand(b"LZFu"), None);
    }

    #[test]
    fn words_are_read_and_fonts_are_not() {
        assert_eq!(
            text(
                "{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Arial;}}{\\*\\generator Riched20;}\\pard Gr\\'fc\\'dfe,\\par\r\n\\u8364 ?5 \\{x\\}\\tab \\uc0\\u-10179 \\u-8704  {\\b fett}}"
            ),
            "Gr\u{fc}\u{df}e,\n\u{20ac}5 {x}\t\u{1f600} fett"
        );
    }

    #[test]
    fn the_html_inside_comes_out_as_it_went_in() {
        let rtf = "{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0 Arial;}}{\\*\\htmltag64 <p class=\"a\">}\\htmlrtf \\b\\htmlrtf0 Gr\\'fc\\'dfe \
            {\\*\\htmltag84 <b>}fett{\\*\\htmltag92 </b>}\\htmlrtf {\\f0 x}\\par\\htmlrtf0 {\\*\\mhtmltag84 <img>}{\\*\\htmltag72 </p>}}";
        assert_eq!(read(rtf.as_bytes()), Words::Html("<p class=\"a\">Gr\u{fc}\u{df}e <b>fett</b></p>".to_owned()));
    }

    #[test]
    fn groups_without_an_end_are_no_trap() {
        for unit in ["{", "}", "\\u", "\\'", "{\\*", "\\uc9999999999999", "{\\*\\htmltag "] {
            read(unit.repeat(200_000).as_bytes());
        }
        assert!(
            expand(&[&b"\0\0\0\0\0\0\0\0LZFu\0\0\0\0"[..], &[0xff; 100_000]].concat())
                .is_some_and(|out| out.len() <= LONGEST + 20)
        );
    }
}

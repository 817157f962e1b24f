//! Lists of MAPI properties (MS-OXTNEF section 2.1.3.4).

use super::Reader;
use crate::connectors::email::mime::charset;

/// How many properties are read, and how many values of one.
const PROPERTIES: u32 = 5_000;

#[derive(Debug, PartialEq)]
pub enum Value {
    Number(u32),
    Text(String),
    Bytes(Vec<u8>),
    Object(Vec<u8>),
}

/// The properties without names of their own, by their ids.
#[derive(Debug, Default)]
pub struct Properties(Vec<(u16, Value)>);

impl Properties {
    /// Reads as many as are sound.
    pub fn read(data: &[u8], code_page: &str) -> Self {
        let mut reader = Reader(data);
        let count = reader.number().unwrap_or_default().min(PROPERTIES);
        let mut properties = Self::default();
        for _ in 0..count {
            let Some((id, value)) = property(&mut reader, code_page) else { break };
            properties.0.extend(value.map(|value| (id, value)));
        }
        properties
    }

    pub fn get(&self, id: u16) -> Option<&Value> {
        self.0.iter().find(|(found, _)| *found == id).map(|(_, value)| value)
    }

    pub fn text(&self, id: u16) -> Option<String> {
        match self.get(id) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }
}

/// The next property; its value is `None` if it is of no use here.
fn property(reader: &mut Reader<'_>, code_page: &str) -> Option<(u16, Option<Value>)> {
    const SEVERAL: u16 = 0x1000;
    let (kind, id) = (reader.short()?, reader.short()?);
    if id >= 0x8000 {
        pass_name(reader)?;
    }
    let is_list = matches!(kind & !SEVERAL, 0x0d | 0x1e | 0x1f | 0x102);
    let count = if is_list || kind & SEVERAL != 0 { reader.number()? } else { 1 };
    let mut first = None;
    for _ in 0..count.min(PROPERTIES) {
        let value = value(reader, kind & !SEVERAL, code_page)?;
        first = first.or(value);
    }
    Some((id, first.filter(|_| id < 0x8000 && kind & SEVERAL == 0)))
}

/// A named property: its set, and then a number or a text.
fn pass_name(reader: &mut Reader<'_>) -> Option<()> {
    reader.take(16)?;
    if reader.number()? == 0 {
        reader.number()?;
    } else {
        padded(reader)?;
    }
    Some(())
}

fn value(reader: &mut Reader<'_>, kind: u16, code_page: &str) -> Option<Option<Value>> {
    Some(match kind {
        // Numbers of up to four bytes, errors and flags.
        0x02 | 0x03 | 0x04 | 0x0a | 0x0b => Some(Value::Number(reader.number()?)),
        // Larger ones and times.
        0x05 | 0x06 | 0x07 | 0x14 | 0x40 => reader.take(8).map(|_| None)?,
        0x48 => reader.take(16).map(|_| None)?,
        0x1e => Some(Value::Text(charset::decode(super::until_zero(padded(reader)?), code_page))),
        0x1f => Some(Value::Text(utf16(padded(reader)?))),
        0x102 => Some(Value::Bytes(padded(reader)?.to_vec())),
        0x0d => Some(Value::Object(padded(reader)?.to_vec())),
        0x00 | 0x01 => None,
        _ => return None,
    })
}

/// A value with its length before it, padded to four bytes.
fn padded<'x>(reader: &mut Reader<'x>) -> Option<&'x [u8]> {
    let length = usize::try_from(reader.number()?).ok()?;
    let value = reader.take(length)?;
    reader.take(((4 - length % 4) % 4).min(reader.0.len()));
    Some(value)
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|two| u16::from_le_bytes([two.first().copied().unwrap_or(0), two.last().copied().unwrap_or(0)]));
    let units = units.take_while(|unit| *unit != 0);
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

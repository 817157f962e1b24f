use super::*;

/// Writes an attribute of a message or a file.
fn attribute(out: &mut Vec<u8>, name: u16, data: &[u8]) {
    out.push(1);
    out.extend(name.to_le_bytes());
    out.extend([6, 0]);
    out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(data);
    let sum = data.iter().fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    out.extend(sum.to_le_bytes());
}

fn property(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
    let mut out = [kind.to_le_bytes(), id.to_le_bytes()].concat();
    out.extend(1u32.to_le_bytes());
    out.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn list(properties: &[Vec<u8>]) -> Vec<u8> {
    [u32::try_from(properties.len()).unwrap().to_le_bytes().to_vec(), properties.concat()].concat()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

fn start() -> Vec<u8> {
    let mut out = [&SIGNATURE[..], &[0, 0]].concat();
    attribute(&mut out, CODE_PAGE, &1252u64.to_le_bytes());
    out
}

#[test]
fn words_and_files_are_unpacked_with_their_long_names() {
    let mut out = start();
    let named = [
        &0x1fu16.to_le_bytes()[..],
        &0x8001u16.to_le_bytes(),
        &[0; 16],
        &0u32.to_le_bytes(),
        &7u32.to_le_bytes(),
        &1u32.to_le_bytes(),
        &4u32.to_le_bytes(),
        &wide("x"),
    ]
    .concat();
    attribute(
        &mut out,
        MESSAGE_PROPERTIES,
        &list(&[named, property(0x102, HTML, b"<p>Gr\xfc\xdfe</p>"), property(0x1e, BODY, b"Gr\xfc\xdfe\0")]),
    );
    for (title, long) in [("BAUANT~1.PDF", Some("Bauantrag \u{dc}bersicht.pdf")), ("plan.png", None)] {
        attribute(&mut out, FILE_BEGINS, &[0; 14]);
        attribute(&mut out, FILE_TITLE, format!("{title}\0").as_bytes());
        attribute(&mut out, FILE_DATA, b"Inhalt");
        if let Some(long) = long {
            attribute(
                &mut out,
                FILE_PROPERTIES,
                &list(&[property(0x1f, LONG_NAME, &wide(long)), property(0x1e, MEDIA_TYPE, b"Application/PDF\0")]),
            );
        }
    }
    let found = read(&out).unwrap();
    let words = found.words.unwrap();
    assert_eq!(
        (words.text.as_deref(), words.html.as_deref()),
        (Some("Gr\u{fc}\u{df}e"), Some("<p>Gr\u{fc}\u{df}e</p>"))
    );
    let files: Vec<_> =
        found.files.iter().map(|file| (file.name.as_str(), file.media_type.as_str(), file.bytes.as_slice())).collect();
    assert_eq!(
        files,
        [("Bauantrag \u{dc}bersicht.pdf", "application/pdf", &b"Inhalt"[..]), ("plan.png", "", b"Inhalt")]
    );
}

#[test]
fn a_message_in_the_message_becomes_a_text_and_its_files() {
    let mut inner = start();
    attribute(&mut inner, PLAIN_BODY, b"Die Laterne brummt.\0");
    attribute(&mut inner, FILE_BEGINS, &[0; 14]);
    attribute(&mut inner, FILE_TITLE, b"laterne.mp3\0");
    attribute(&mut inner, FILE_DATA, b"Brumm");
    let mut out = start();
    attribute(&mut out, FILE_BEGINS, &[0; 14]);
    let object = [&[7; 16][..], &inner].concat();
    attribute(
        &mut out,
        FILE_PROPERTIES,
        &list(&[property(0x1e, DISPLAY_NAME, b"Beschwerde\0"), property(0x0d, FILE_OBJECT, &object)]),
    );
    let found = read(&out).unwrap();
    let files: Vec<_> = found.files.iter().map(|file| (file.name.as_str(), file.bytes.as_slice())).collect();
    assert_eq!(files, [("Beschwerde.txt", &b"Die Laterne brummt."[..]), ("laterne.mp3", b"Brumm")]);
}

#[test]
fn a_message_in_the_message_without_words_is_kept_as_it_is() {
    let inner = start();
    let mut out = start();
    attribute(&mut out, FILE_BEGINS, &[0; 14]);
    let object = [&[7; 16][..], &inner].concat();
    attribute(
        &mut out,
        FILE_PROPERTIES,
        &list(&[property(0x1e, DISPLAY_NAME, b"Verteiler\0"), property(0x0d, FILE_OBJECT, &object)]),
    );
    let found = read(&out).unwrap();
    let files: Vec<_> = found.files.iter().map(|file| (file.name.as_str(), &file.bytes[..inner.len()])).collect();
    assert_eq!(files, [("Verteiler", inner.as_slice())]);
}

#[test]
fn what_is_broken_is_read_as_far_as_it_goes() {
    let mut out = start();
    attribute(&mut out, FILE_BEGINS, &[0; 14]);
    attribute(&mut out, FILE_TITLE, b"a.txt\0");
    attribute(&mut out, FILE_DATA, b"Inhalt");
    for length in 0..out.len() {
        let found = read(&out[..length]);
        assert_eq!(found.is_some(), length >= 6);
    }
    out.truncate(out.len() - 4);
    assert_eq!(read(&out).unwrap().files.first().unwrap().bytes, b"Inha");
    assert!(read(b"PK\x03\x04 no winmail").is_none());
    let endless = [&start()[..], &[1, 3, 0x90, 6, 0, 0xff, 0xff, 0xff, 0xff], &[0xff; 1000]].concat();
    assert!(read(&endless).unwrap().files.is_empty());
}

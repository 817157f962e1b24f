"""Are all files of all mails there? Compares what Fehmarn makes of mails with what Python's `email` package finds in them,
by number, name and content:

    cargo bench --bench mail -- --files FOLDER ... | python3 benches/files.py

Prints, by reason, how many parts are no file of Fehmarn's, and ends with 1 if any of them is not accounted for. Where
Python has the packages `tnefparse` and `olefile`, they look into each `.tnef`; else those are not compared.
"""

import base64
import collections
import email
import email.policy
import hashlib
import io
import json
import sys
import unicodedata

try:
    import olefile
    import tnefparse
except ImportError:
    tnefparse = None

SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
SEALED = ("application/pkcs7-mime", "application/x-pkcs7-mime")


def parts(mail, around=()):
    """Every part without parts of its own, and every mail that hangs at the mail, with the types around it."""
    kind = mail.get_content_type()
    is_mail = kind.startswith("message/") and (mail.is_multipart() or kind in ("message/rfc822", "message/global"))
    if is_mail or not mail.is_multipart():
        yield mail, around
    if mail.is_multipart():
        for part in mail.get_payload():
            yield from parts(part, (*around, kind))


def name(part):
    try:
        found = part.get_filename() or ""
    except Exception:
        return ""
    found = found.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in unicodedata.normalize("NFC", found) if letter.isalnum())


def is_file(part, around):
    """Whether a person would call it a file: it has a name, is attached, or is no text."""
    is_text = part.get_content_type() in ("text/plain", "text/html")
    return not is_text or part.get_content_disposition() == "attachment"


def content(part):
    if part.get_content_type().startswith("message/") and part.is_multipart():
        return None
    return part.get_payload(decode=True)


def mended(part):
    """The bytes of a part where Python gives up: base64 that was cut off, or a header in which it loses its way."""
    lines = str(part.get_payload()).replace("\r\n", "\n").strip().split("\n\n")[-1]
    digits = "".join(c for c in lines if c.isalnum() or c in "+/")
    whole = digits[: len(digits) - (1 if len(digits) % 4 == 1 else 0)]
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def explained(part, around, bytes_, names, is_whole):
    """Why a part needs no file."""
    kind = part.get_content_type()
    if "message/partial" in around or "message/external-body" in around:
        return "inside of a piece of a mail, or of a mail that names a file elsewhere: that is a file as a whole"
    if kind in SIGNATURES:
        return "signature"
    if kind in SEALED or "multipart/encrypted" in around:
        return "signed or encrypted content"
    if "winmail.dat" in (part.get_filename() or "").lower() or kind.endswith("ms-tnef"):
        return "winmail.dat, unpacked"
    if kind in ("text/x-amp-html", "text/watch-html", "text/enriched", "text/richtext") and "multipart/alternative" in around:
        return "another form of the words"
    if kind == "application/pgp-keys":
        return "key of the writer"
    if kind.startswith("multipart/"):
        return "a multipart without any boundary, shown as words"
    if bytes_ is not None and not bytes_.strip():
        return "nothing in it"
    if kind.startswith("image/") and is_tiny(bytes_):
        return "counting pixel"
    if kind.startswith("image/") and part["Content-ID"] and part.get_content_disposition() != "attachment" and not is_whole:
        return "picture in a quote or signature that is cut; in the copy of the original"
    if part.defects and name(part) in names:
        return "broken, and there as far as it can be read: " + ", ".join(sorted({type(it).__name__ for it in part.defects}))
    return None


def is_tiny(picture):
    if picture.startswith(b"\x89PNG"):
        sides = int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")
    elif picture.startswith(b"GIF8"):
        sides = int.from_bytes(picture[6:8], "little"), int.from_bytes(picture[8:10], "little")
    else:
        return False
    return min(sides) <= 2


def packed(content):
    """The files in a winmail.dat, with their names, and those of messages in it."""
    for found in tnefparse.TNEF(content, do_checksum=False).attachments:
        bytes_ = bytes(found.data or b"")
        yield found.long_filename() or "", bytes_
        if is_message(bytes_):
            yield from packed(bytes_)


def is_message(bytes_):
    return bytes_.startswith(b"\x78\x9f\x3e\x22")


def with_zeros(bytes_, hashes):
    """`tnefparse` leaves out the zeros at the end of a file; a file of an old Office ends with up to two sectors of them."""
    digest = hashlib.sha256(bytes_)
    for _ in range(4096):
        digest.update(b"\0")
        if hashes[digest.hexdigest()]:
            return True
    return False


def in_object(bytes_):
    """The file in an object that somebody has dropped into a mail (MS-OLEDS section 2.3.6)."""
    # Objects end where `tnefparse` has left out zeros.
    object_ = io.BytesIO(bytes_[16:] + b"\0" * 4096)
    if not olefile.isOleFile(object_):
        return None
    object_ = olefile.OleFileIO(object_)
    if not object_.exists("\x01Ole10Native"):
        return None
    rest = object_.openstream("\x01Ole10Native").read()[6:]
    _label, _path, rest = rest.split(b"\0", 2)
    rest = rest[8 + int.from_bytes(rest[4:8], "little") :]
    return rest[4 : 4 + int.from_bytes(rest[:4], "little")]


def packed_explained(bytes_, hashes, is_whole):
    """Why a file in a winmail.dat is none of Fehmarn's with the same bytes."""
    digest = lambda it: hashlib.sha256(it).hexdigest()
    if not bytes_:
        return "nothing in it"
    if is_message(bytes_):
        return "a message, as its words and its files"
    if with_zeros(bytes_, hashes):
        return "there, with the zeros at its end"
    # MS-OXTNEF section 2.1.3.4: before an object stands the identifier of the interface that it has.
    if hashes[digest(bytes_[16:])] or with_zeros(bytes_[16:], hashes):
        return "there, an object without the identifier of its interface"
    inner = in_object(bytes_)
    if inner is not None and hashes[digest(inner)]:
        return "an object, as the file in it"
    if bytes_.startswith((b"\x89PNG", b"GIF8", b"\xff\xd8")) and not is_whole:
        return "picture in a quote or signature that is cut; in the copy of the original"
    return None


def compare_packed(path, ours, count):
    hashes = collections.Counter(digest for _, digest in ours["files"])
    with open(path, "rb") as file:
        content = file.read()
    for name_, bytes_ in packed(content):
        count["in winmail.dat"] += 1
        why = "there, the same bytes" if hashes[hashlib.sha256(bytes_).hexdigest()] else None
        why = why or packed_explained(bytes_, hashes, ours["is_whole"])
        count[f"in winmail.dat: {why or 'NOT ACCOUNTED FOR'}"] += 1
        if not why:
            print(f"{name_!r}, {len(bytes_)} bytes, files {[it for it, _ in ours['files']]}: {path}")


def main():
    count = collections.Counter()
    for line in sys.stdin:
        if not line.startswith("{"):
            continue
        ours = json.loads(line)
        path = ours["mail"]
        count["mails"] += 1
        if tnefparse and ours["outcome"] == "message" and path.endswith(".tnef"):
            compare_packed(path, ours, count)
            continue
        if ours["outcome"] != "message" or path.endswith((".txt", ".tnef")):
            count[f"mails: {ours['outcome']}, not compared"] += 1
            continue
        with open(path, "rb") as file:
            mail = email.message_from_bytes(file.read(), policy=email.policy.default)
        hashes = collections.Counter(digest for _, digest in ours["files"])
        names = {"".join(c for c in unicodedata.normalize("NFC", it) if c.isalnum()) for it, _ in ours["files"]}
        for part, around in parts(mail):
            if not is_file(part, around):
                continue
            count["parts"] += 1
            bytes_ = content(part)
            if bytes_ is None:
                # A mail, or a report as a program reads it: Python does not keep its bytes.
                stands_for = (it.endswith(".eml") or it.startswith("message-") for it, _ in ours["files"])
                found = any(stands_for) or bool(name(part)) and name(part) in names
            else:
                digest = hashlib.sha256(bytes_).hexdigest()
                found = hashes[digest] > 0
                hashes[digest] -= found
            if found:
                count["parts: there, the same bytes" if bytes_ is not None else "parts: there, a mail or report"] += 1
                if name(part) and name(part) not in names:
                    count["names: other"] += 1
                    print(f"name {part.get_filename()!r}, files {[it for it, _ in ours['files']]}: {path}")
                continue
            why = explained(part, around, bytes_, names, ours["is_whole"])
            if not why and part.defects and hashes[hashlib.sha256(mended(part)).hexdigest()]:
                why = "broken, and there: " + ", ".join(sorted({type(it).__name__ for it in part.defects}))
            count[f"parts: {why or 'NOT ACCOUNTED FOR'}"] += 1
            if not why:
                files = [it for it, _ in ours["files"]]
                size = None if bytes_ is None else len(bytes_)
                print(f"{part.get_content_type()} {part.get_filename()!r}, {size} bytes, files {files}: {path}")
    for what, number in sorted(count.items()):
        print(f"{number:6} {what}")
    return int(any("NOT" in what for what in count))


sys.exit(main())

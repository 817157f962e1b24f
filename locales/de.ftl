# Alles, was ein Mensch zu lesen bekommt. Kurz, ohne Fachwörter. Gleiche Schlüssel wie in en.ftl.

delivery-failed = Die Nachricht an { $recipient } wurde nicht zugestellt: { $reason }
delivery-returned = Die Nachricht an { $recipient } kam zurück: { $reason }
delivery-delayed = Die Nachricht an { $recipient } ist noch nicht angekommen. Es wird weiter versucht; Sie brauchen nichts zu tun.
delivery-gave-up = Die Nachricht an { $recipient } wurde nach vielen Versuchen nicht zugestellt: { $reason }
file-too-large = Die Datei { $name } ist zu groß für diesen Raum.
file-too-large-to-send = Die Datei { $name } wurde nicht gesendet: Sie ist größer als { $limit } MB.
file-encrypted = Die Datei { $name } wurde nicht gesendet: Sie ist verschlüsselt. Bitte senden Sie sie in einem Gespräch ohne Verschlüsselung.
cannot-cross-call = Anrufe erreichen Menschen außerhalb nicht. Bitte schreiben Sie ihnen.
cannot-cross-live-location = Ein Standort, der sich mitbewegt, erreicht Menschen außerhalb nicht. Bitte senden Sie einen festen Standort.
already-sent = Diese Nachricht ist schon verschickt und lässt sich nicht mehr zurückholen.
correction-of = Korrektur zu „{ $quote }“:
correction = Korrektur:
reaction-to = { $emoji } (zu „{ $quote }“)
voice-message = Sprachnachricht
not-allowed-to-write = Sie dürfen von hier aus niemandem außerhalb schreiben. Ihre Nachrichten in diesem Raum bleiben hier. Bitte wenden Sie sich an Ihre Administration.
not-allowed-to-invite = Sie dürfen keine Menschen von außerhalb einladen. Bitte wenden Sie sich an Ihre Administration.
not-an-address = Das ist keine Adresse, an die geschrieben werden kann.
encrypted-room = Dieser Raum ist verschlüsselt. Nachrichten von hier können Menschen außerhalb nicht erreichen. Bitte beginnen Sie ein Gespräch ohne Verschlüsselung.

reason-unknown-recipient = Diese Adresse gibt es nicht.
reason-mailbox-full = Das Postfach ist voll.
reason-refused = Die Gegenseite nimmt diese Nachricht nicht an.
reason-too-large = Die Nachricht ist zu groß.
reason-unreachable = Die Gegenseite ist nicht erreichbar.
reason-busy = Die Gegenseite nimmt zurzeit nichts an.
reason-access-denied = Der Zugang von Fehmarn wurde nicht angenommen. Bitte wenden Sie sich an Ihre Administration.
reason-unreadable = Der Inhalt konnte nicht übertragen werden.
reason-internal = In Fehmarn ist ein Fehler aufgetreten. Bitte wenden Sie sich an Ihre Administration.

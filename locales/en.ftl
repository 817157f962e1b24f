# Everything that a person gets to read. Short, without jargon. The same keys as in de.ftl.

delivery-failed = The message to { $recipient } was not delivered: { $reason }
delivery-returned = The message to { $recipient } came back: { $reason }
delivery-delayed = The message to { $recipient } has not arrived yet. We keep trying; you need not do anything.
delivery-gave-up = The message to { $recipient } was not delivered after many attempts: { $reason }
file-too-large = The file { $name } is too large for this room.
file-too-large-to-send = The file { $name } was not sent: it is larger than { $limit } MB.
file-encrypted = The file { $name } was not sent: it is encrypted. Please send it in a conversation without encryption.
cannot-cross-call = Calls do not reach people outside. Please write to them.
cannot-cross-live-location = A location that moves does not reach people outside. Please send a fixed one.
already-sent = This message has been sent already and cannot be taken back.
correction-of = Correction of “{ $quote }”:
correction = Correction:
reaction-to = { $emoji } (to “{ $quote }”)
voice-message = Voice message
not-allowed-to-write = You may not write to people outside from here. Your messages in this room stay here. Please ask your administration.
not-allowed-to-invite = You may not invite people from outside. Please ask your administration.
not-an-address = This is not an address that can be written to.
encrypted-room = This room is encrypted. Messages from here cannot reach people outside. Please start a conversation without encryption.

reason-unknown-recipient = There is no such address.
reason-mailbox-full = The mailbox is full.
reason-refused = The other side does not accept this message.
reason-too-large = The message is too large.
reason-unreachable = The other side cannot be reached.
reason-busy = The other side does not accept anything at the moment.
reason-access-denied = Fehmarn's own access was not accepted. Please ask your administration.
reason-unreadable = The content could not be carried over.
reason-internal = Something went wrong in Fehmarn. Please ask your administration.

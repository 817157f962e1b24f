-- What lets staff into a remote room that wants a password.
ALTER TABLE remote_rooms ADD COLUMN password TEXT;

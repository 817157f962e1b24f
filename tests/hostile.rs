//! What somebody who means harm may push or say.

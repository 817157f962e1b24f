"""Asks a port whether its server is ready."""

import http.client
import socket
import ssl

from servers.plan import HOST

# What an unready server may do to a client.
NOT_YET = (OSError, http.client.HTTPException)
SECONDS = 3


def greets(port, start, ca=None):
    """Whether the server's first bytes are `start`; over TLS if a certificate authority is given."""
    with socket.create_connection((HOST, port), SECONDS) as plain:
        if ca is None:
            return plain.recv(200).startswith(start)
        context = ssl.create_default_context(cafile=ca)
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.recv(200).startswith(start)


def answers_http(port, path, ca=None):
    """Whether this is answered with 200; over TLS if a certificate authority is given."""
    if ca is None:
        connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
    else:
        context = ssl.create_default_context(cafile=ca)
        connection = http.client.HTTPSConnection("localhost", port, timeout=SECONDS, context=context)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    finally:
        connection.close()

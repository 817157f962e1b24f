"""Real servers on loopback: Synapse, Postfix, Dovecot, PostgreSQL and Prosody, for the tests and for the demo.

    servers.py    the command line
    plan.py       what is wanted: folder, ports, names, slots; kept in DIR/servers.json
    install.py    packages and the virtual environment of Synapse
    service.py    what every server has in common: configure, start, wait, stop
    process.py    one process that was started here, known by pid and start time
    synapse.py, postfix.py, dovecot.py, postgres.py    one server each
    slots.py      one application service for each test that runs at the same time
    tls.py        the certificate authority and the certificate for localhost
    probe.py      asks a port whether its server is ready
"""

"""The demo: Fehmarn between a real homeserver and real mail servers, on loopback, in the folder .demo.

    command.py       the command line
    world.py         who and what there is: names, ports, folders
    bridge.py        Fehmarn itself: build, configure, check, run, stop
    matrix.py        the staff member's client
    mail.py          the mailbox of the person outside
    conversation.py  one conversation in both directions
    page.py          how it is printed
"""

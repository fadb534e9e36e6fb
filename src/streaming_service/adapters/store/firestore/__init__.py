"""The store in Google's Firestore; docs/decisions/0016-firestore-by-preconditions.md says why it is as it is.

    store.py           FirestoreStore: implements `ports.Store`
    database.py        the client, with a limit on every wait, and its errors as ours
    documents.py       names of documents, what was read, what is to be written
    sequences.py       numbers that sort debts
    channels.py        channels and their history
    claims.py          who works on which
    placements.py      seats on origins
    outbox.py          debts, and what comes of them
    outbox_claims.py   who sends which
    dead_letters.py
    leases.py          leases, idempotency keys and marks

`infra/firestore` holds the indexes.
"""

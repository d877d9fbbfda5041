"""`./lab bench brokers`: how many events a second each scheme and pattern sustains, and what limits it.

A contender (`contenders`) is a Dag with a watcher and a source of events. A trial (`trial`) sends it a stream and
follows each event into the metadata database. A search (`search`) repeats trials until the limit is known well enough.
"""

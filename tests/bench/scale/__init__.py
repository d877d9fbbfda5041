"""`./lab bench scale`: what watchers, events, runs and tasks cost Airflow, with Airflow's own settings.

A window (`windows`) is a span of time in which a known number of watchers, events, runs and tasks was there; what the
database and the processes did meanwhile is counted. `fit` finds what each of them costs, and writes the constants that
the calculator (`labkit.plan`) is made of. `points` compares the calculator with three runs that were not used for that.
"""

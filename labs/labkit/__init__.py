"""The engine behind `./lab`: starts a real Airflow with a real broker, follows events through it, checks exercises."""

__version__ = "0.1.0"

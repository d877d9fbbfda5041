"""Broker passports: what the pages of the seven schemes tell, read from the installed wheels and from runs."""

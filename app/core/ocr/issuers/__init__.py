"""The papers of each country, a file a country: its labels, titles, numbers, calendar, names, codes and recogniser.

A new country is one new file with a ``PROFILE``; ``registry`` finds it.
"""

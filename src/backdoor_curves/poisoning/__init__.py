"""Poison: rows are chosen, stamped with a trigger and given the attacker's labels."""

"""How many steps the histories made."""

from collections import Counter

made = Counter()
